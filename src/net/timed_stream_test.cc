// SPDX-License-Identifier: MIT
#include "net/timed_stream.h"

#include <gtest/gtest.h>

#include <string>

#include "base/test_dir.h"
#include "net/exceptions.h"
#include "net/tls_test_files.h"

namespace driveshaft::net {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

class Streams : public testing::Test {
 protected:
  void connect(TlsSession ours = nullptr, TlsSession theirs = nullptr) {
    asio::local::stream_protocol::socket one(loop_);
    asio::local::stream_protocol::socket other(loop_);
    asio::local::connect_pair(one, other);
    server_.emplace(std::move(one), std::move(ours));
    client_.emplace(std::move(other), std::move(theirs));
  }
  // Over TLS, as a server with that certificate and a client that trusts it.
  void connect_over_tls(const OwnCertificate& own) {
    context_ = *load_tls_server({.ca_file = {},
                                 .certificate_file = own.certificate_file,
                                 .key_file = own.key_file,
                                 .server_name = {}});
    tls_client_ = std::make_shared<TlsClient>(TlsSettings{
        .ca_file = own.certificate_file, .certificate_file = {}, .key_file = {}, .server_name = {}});
    auto session = new_session(*tls_client_, "localhost");
    ASSERT_TRUE(session) << session.error().message;
    connect(server_session(*context_), std::move(*session));
  }
  // Runs both coroutines to their ends.
  void run(asio::awaitable<void> one, asio::awaitable<void> other) {
    asio::co_spawn(loop_, std::move(one), kRethrow);
    asio::co_spawn(loop_, std::move(other), kRethrow);
    loop_.run_for(20s);
  }

  // Writes big and small pieces, which the other side reads until the end.
  void pass(const std::string& big) {
    error_code failed;
    std::string received;
    run(
        [&]() -> asio::awaitable<void> {
          failed = co_await server_->handshake();
          const std::vector<asio::const_buffer> pieces(20, asio::buffer(big));
          if (!failed) std::tie(failed, std::ignore) = co_await asio::async_write(*server_, pieces, kResult);
          server_->shutdown_send();
        }(),
        [&]() -> asio::awaitable<void> {
          error_code error = co_await client_->handshake();
          std::array<char, 10'000> room{};
          while (!error) {
            std::size_t size = 0;
            std::tie(error, size) = co_await client_->async_read_some(asio::buffer(room), kResult);
            received.append(room.data(), size);
          }
          EXPECT_EQ(error, asio::error::eof) << error.message();
        }());
    EXPECT_FALSE(failed) << failed.message();
    EXPECT_EQ(received.size(), 20 * big.size());
    EXPECT_TRUE(received.starts_with(big) && received.ends_with(big));
  }

  const base::TestDir dir_;
  asio::io_context loop_;
  TlsContext context_;
  std::shared_ptr<TlsClient> tls_client_;
  std::optional<TimedStream> server_;
  std::optional<TimedStream> client_;
};

TEST_F(Streams, CarryBytesInPlainText) {
  connect();
  pass("abc");
  loop_.restart();
  connect();
  pass(std::string(300'000, 'x') + "end");
}

TEST_F(Streams, CarryBytesOverTls) {
  const auto own = make_certificate(dir_, "localhost");
  connect_over_tls(own);
  pass("abc");
  loop_.restart();
  connect_over_tls(own);
  pass(std::string(300'000, 'x') + "end");
}

TEST_F(Streams, CloseThemselvesWhenTheirTimeIsOver) {
  connect();
  std::array<char, 10> room{};
  error_code error;
  run(
      [&]() -> asio::awaitable<void> {
        server_->expires_after(1h);
        server_->expires_after(20ms);
        std::tie(error, std::ignore) = co_await server_->async_read_some(asio::buffer(room), kResult);
      }(),
      []() -> asio::awaitable<void> { co_return; }());
  EXPECT_EQ(error, asio::error::operation_aborted);
  EXPECT_TRUE(server_->has_expired());
}

TEST_F(Streams, AHandshakeThatIsNotAnsweredEndsInTime) {
  const auto own = make_certificate(dir_, "localhost");
  connect_over_tls(own);
  error_code error;
  run(
      [&]() -> asio::awaitable<void> {
        server_->expires_after(20ms);
        error = co_await server_->handshake();
      }(),
      []() -> asio::awaitable<void> { co_return; }());
  EXPECT_TRUE(error);
  EXPECT_TRUE(server_->has_expired());
}

TEST_F(Streams, AFileThatIsNoCertificateIsRefused) {
  const auto own = make_certificate(dir_, "localhost");
  const auto broken = dir_.write("broken", "x");
  const auto error_of = [](const std::string& certificate, const std::string& key) {
    const auto loaded =
        load_tls_server({.ca_file = {}, .certificate_file = certificate, .key_file = key, .server_name = {}});
    return loaded ? "(none)" : loaded.error().message;
  };
  EXPECT_EQ(error_of(own.certificate_file, own.key_file), "(none)");
  EXPECT_TRUE(error_of(broken, own.key_file).starts_with("certificate_file " + broken + ": expected"));
  EXPECT_TRUE(error_of(own.certificate_file, broken).starts_with("key_file " + broken + ": expected"));
}

}  // namespace
}  // namespace driveshaft::net
