// SPDX-License-Identifier: MIT
#include "net/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "net/tls_test_files.h"

namespace driveshaft::net {
namespace {

using ::testing::HasSubstr;

// The two ends of a connection on this machine, with small buffers in the kernel.
struct StreamTest : ::testing::Test {
  using Tcp = asio::ip::tcp;

  asio::io_context loop;
  base::TestDir dir;
  OwnCertificate certificate = make_certificate(dir, "peer");
  TlsContext peer_context{SSL_CTX_new(TLS_server_method())};
  std::optional<Stream> ours;
  std::optional<Stream> peers;

  void SetUp() override {
    SSL_CTX_use_certificate_file(peer_context.get(), certificate.certificate_file.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(peer_context.get(), certificate.key_file.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_mode(peer_context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }

  void connect(bool tls, const std::string& host = "localhost") {
    Tcp::acceptor acceptor(loop, {asio::ip::address_v4::loopback(), 0});
    acceptor.set_option(asio::socket_base::receive_buffer_size(8192));
    Tcp::socket near(loop, Tcp::v4());
    near.set_option(asio::socket_base::send_buffer_size(8192));
    near.connect(acceptor.local_endpoint());
    Tcp::socket far = acceptor.accept();
    near.non_blocking(true);
    far.non_blocking(true);
    TlsSession session;
    TlsSession peer_session;
    if (tls) {
      client = std::make_shared<TlsClient>(TlsSettings{certificate.certificate_file, "", "", "", true});
      session = new_session(*client, host).value();
      peer_session.reset(SSL_new(peer_context.get()));
      SSL_set_accept_state(peer_session.get());
    }
    ours.emplace(std::move(near), std::move(session));
    peers.emplace(std::move(far), std::move(peer_session));
  }

  // Runs both until they are done or one has failed. Returns the error of that one.
  boost::system::error_code shake_hands() {
    for (int turns = 0; turns < 1000; ++turns) {
      boost::system::error_code near;
      boost::system::error_code far;
      ours->handshake(near);
      peers->handshake(far);
      if (near && near != asio::error::would_block) return near;
      if (!near && !far) return {};
    }
    ADD_FAILURE() << "no end of the handshake";
    return {};
  }

  std::shared_ptr<TlsClient> client;
};

std::string random_bytes(std::size_t size) {
  std::mt19937 random(1);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

// Writes the pieces and reads them at the other end, both through the loop.
std::string carried(asio::io_context& loop, Stream& from, Stream& to, std::vector<std::string> texts) {
  std::vector<asio::const_buffer> pieces(texts.size());
  std::size_t total = 0;
  for (const auto& text : texts) total += text.size();
  std::size_t written = 0;
  std::string got;
  std::array<char, 5000> first;
  std::array<char, 20000> second;
  const std::array<asio::mutable_buffer, 2> room{asio::buffer(first), asio::buffer(second)};
  std::function<void()> write = [&] {
    std::size_t skip = written;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      pieces[i] = asio::buffer(texts[i]);
      const std::size_t skipped = std::min(skip, pieces[i].size());
      pieces[i] += skipped;
      skip -= skipped;
    }
    boost::system::error_code error;
    written += from.write_some(std::span<const asio::const_buffer>(pieces), error);
    ASSERT_TRUE(!error || error == asio::error::would_block) << error.message();
    if (written == total) return;
    from.async_wait([&](const auto& failure) {
      if (!failure) write();
    });
  };
  std::function<void()> read = [&] {
    to.async_read_some(room, [&](const boost::system::error_code& error, std::size_t bytes) {
      ASSERT_FALSE(error) << error.message();
      const std::size_t in_first = std::min(bytes, first.size());
      got.append(first.data(), in_first).append(second.data(), bytes - in_first);
      if (got.size() < total) read();
    });
  };
  read();
  write();
  loop.restart();
  loop.run();
  return got;
}

struct StreamKinds : StreamTest, ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(PlainAndTls, StreamKinds, ::testing::Bool());

TEST_P(StreamKinds, CarriesAnyBytesBothWaysWhateverTheirPieces) {
  connect(GetParam());
  ASSERT_FALSE(GetParam() && shake_hands());
  const std::string big = random_bytes(3'000'000);
  EXPECT_EQ(carried(loop, *ours, *peers, {"head", big, "tail"}), "head" + big + "tail");
  EXPECT_EQ(carried(loop, *peers, *ours, {std::string(1, '\0'), "", big}), std::string(1, '\0') + big);
  EXPECT_EQ(carried(loop, *ours, *peers, {"x"}), "x");
  EXPECT_GT(ours->sent(), big.size() + 9 - 1);
}

TEST_P(StreamKinds, ACloseEndsARead) {
  connect(GetParam());
  ASSERT_FALSE(GetParam() && shake_hands());
  std::array<char, 10> room;
  std::optional<boost::system::error_code> error;
  ours->async_read_some(asio::buffer(room), [&](const auto& why, std::size_t) { error = why; });
  ours->close();
  loop.run();
  EXPECT_EQ(error, asio::error::operation_aborted);
}

TEST_P(StreamKinds, ThePeersEndIsTheEnd) {
  connect(GetParam());
  ASSERT_FALSE(GetParam() && shake_hands());
  boost::system::error_code error;
  peers->write_some(asio::const_buffer("last", 4), error);
  peers->close();
  std::array<char, 10> room;
  std::optional<boost::system::error_code> ended;
  std::size_t bytes = 0;
  ours->async_read_some(asio::buffer(room), [&](const auto&, std::size_t count) {
    bytes = count;
    ours->async_read_some(asio::buffer(room), [&](const auto& why, std::size_t) { ended = why; });
  });
  loop.run();
  EXPECT_EQ(bytes, 4u);
  EXPECT_EQ(ended, asio::error::eof);
}

TEST_F(StreamTest, AnEndWithoutCloseNotifyIsAnError) {
  connect(true);
  ASSERT_FALSE(shake_hands());
  peers->socket().close();
  std::array<char, 10> room;
  boost::system::error_code ended;
  ours->async_read_some(asio::buffer(room), [&](const auto& why, std::size_t) { ended = why; });
  loop.run();
  EXPECT_THAT(ended.message(), HasSubstr("closed without the end message of TLS"));
}

TEST_F(StreamTest, AnotherNameIsRefusedWithTheReason) {
  connect(true, "elsewhere.example");
  const auto error = shake_hands();
  ASSERT_TRUE(error);
  EXPECT_THAT(client->describe_failure(*ours->tls(), "elsewhere.example", error),
              HasSubstr("its certificate is not accepted: hostname mismatch (expected elsewhere.example;"));
}

TEST_F(StreamTest, AnAddressIsCheckedAsOne) {
  connect(true, "127.0.0.1");
  EXPECT_FALSE(shake_hands());
  connect(true, "127.0.0.2");
  const auto error = shake_hands();
  ASSERT_TRUE(error);
  EXPECT_THAT(client->describe_failure(*ours->tls(), "127.0.0.2", error), HasSubstr("IP address mismatch"));
}

TEST_F(StreamTest, PlainTextInsteadOfAHandshakeSaysSo) {
  connect(true);
  boost::system::error_code error;
  peers->socket().write_some(asio::buffer("ERR unknown command\n", 20), error);
  do {
    ours->handshake(error);
  } while (error == asio::error::would_block);
  EXPECT_EQ(client->describe_failure(*ours->tls(), "localhost", error),
            "TLS handshake failed: wrong version number (does it speak TLS on this port?)");
}

}  // namespace
}  // namespace driveshaft::net
