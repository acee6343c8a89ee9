// SPDX-License-Identifier: MIT
#include "net/connector.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <optional>
#include <tuple>

#include "base/test_dir.h"
#include "net/descriptors.h"
#include "net/test_acceptor.h"
#include "net/tls_server.h"
#include "net/tls_test_files.h"

namespace driveshaft::net {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using ::testing::HasSubstr;

template <class... Endpoints>
Connector::Addresses list(const Endpoints&... endpoints) {
  Connector::Addresses addresses;
  (addresses.emplace_back(endpoints), ...);
  return addresses;
}

// A port that answers nobody: its queue of connections is full, so the kernel drops further ones.
class DeadPort {
 public:
  explicit DeadPort(asio::io_context& loop) : acceptor_(loop, tcp::v4()) {
    acceptor_.bind({asio::ip::address_v4::loopback(), 0});
    acceptor_.listen(0);
    for (int i = 0; i < 2; ++i) {
      auto& socket = knocking_.emplace_back(loop, tcp::v4());
      socket.non_blocking(true);
      const auto to = acceptor_.local_endpoint();
      std::ignore = ::connect(socket.native_handle(), to.data(), static_cast<socklen_t>(to.size()));
    }
  }
  tcp::endpoint address() const { return acceptor_.local_endpoint(); }

 private:
  tcp::acceptor acceptor_;
  std::deque<tcp::socket> knocking_;
};

// Accepts connections and shakes hands over TLS, with a certificate for `localhost` and 127.0.0.1.
class TlsPeer {
 public:
  explicit TlsPeer(asio::io_context& loop)
      : acceptor_(loop, [this](tcp::socket socket) {
          socket.non_blocking(true);
          stream_.emplace(std::move(socket), server_session(*context_));
          shake_hands();
        }) {
    std::signal(SIGPIPE, SIG_IGN);  // as in the daemon: clients may close the connection
  }

  tcp::endpoint address() const { return {asio::ip::address_v4::loopback(), acceptor_.port()}; }
  const std::string& ca_file() const { return certificate_.certificate_file; }
  // The name that the client has asked for.
  std::string name() const {
    const char* name = stream_ ? SSL_get_servername(stream_->tls(), TLSEXT_NAMETYPE_host_name) : nullptr;
    return name ? name : "";
  }

 private:
  void shake_hands() {
    boost::system::error_code error;
    stream_->handshake(error);
    if (error != asio::error::would_block) return;
    stream_->async_wait([this](const auto& failure) {
      if (!failure) shake_hands();
    });
  }

  const base::TestDir dir_;
  const OwnCertificate certificate_ = make_certificate(dir_, "peer");
  const TlsContext context_ =
      load_tls_server({"", certificate_.certificate_file, certificate_.key_file, "", true}).value();
  std::optional<Stream> stream_;
  TestAcceptor acceptor_;
};

}  // namespace

struct AttemptTest {
  static std::optional<Stream>& stream(Connector::Attempt& attempt) { return attempt.stream_; }
};

namespace {

struct ConnectorTest : ::testing::Test {
  asio::io_context loop;
  base::DeadlineWheel deadlines{loop};
  Resolver resolver{loop};
  tcp::acceptor open{loop, {asio::ip::address_v4::loopback(), 0}};
  std::optional<base::Result<Stream, Connector::Failure>> result;

  tcp::endpoint closed_port() {
    return tcp::acceptor(loop, {asio::ip::address_v4::loopback(), 0}).local_endpoint();
  }

  // The attempt has to end within ten seconds; how long it took.
  std::optional<std::chrono::nanoseconds> connect(Connector& connector, int spare = 0) {
    result.reset();
    const auto begin = std::chrono::steady_clock::now();
    const auto attempt = connector.connect([&](auto socket) { result.emplace(std::move(socket)); }, spare);
    EXPECT_FALSE(result) << "called from within";
    const auto guard = asio::make_work_guard(loop);
    loop.restart();
    while (!result && loop.run_one_until(begin + 10s)) {
    }
    if (!result) return std::nullopt;
    return std::chrono::steady_clock::now() - begin;
  }
};

TEST_F(ConnectorTest, ConnectsToALiteral) {
  Connector connector(resolver, deadlines, {"127.0.0.1", open.local_endpoint().port()}, 0s);
  ASSERT_TRUE(connect(connector));
  ASSERT_TRUE(*result) << result->error().message;
  EXPECT_TRUE((*result)->socket().is_open());
  EXPECT_TRUE((*result)->socket().non_blocking());
}

TEST_F(ConnectorTest, ConnectsToAName) {
  Connector connector(resolver, deadlines, {"localhost", open.local_endpoint().port()}, 0s);
  ASSERT_TRUE(connect(connector));
  EXPECT_TRUE(*result) << result->error().message;
}

TEST_F(ConnectorTest, ConnectsToAUnixSocket) {
  const base::TestDir dir;
  const auto path = dir / "socket";
  const asio::local::stream_protocol::acceptor acceptor(loop, asio::local::stream_protocol::endpoint(path));
  Connector connector(resolver, deadlines, list(asio::local::stream_protocol::endpoint(path)));
  ASSERT_TRUE(connect(connector));
  EXPECT_TRUE(*result) << result->error().message;
}

TEST_F(ConnectorTest, SaysWhyItCannot) {
  Connector connector(resolver, deadlines, list(closed_port()));
  ASSERT_TRUE(connect(connector));
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().message, "cannot connect: Connection refused");
}

TEST_F(ConnectorTest, LeavesTheReservedDescriptorsToOtherUses) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const auto place = net::Address{"127.0.0.1", open.local_endpoint().port()};
  Connector all(resolver, deadlines, place, 0s, nullptr, static_cast<int>(limit.rlim_cur) - 1);
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(connect(all));
  ASSERT_FALSE(*result);
  EXPECT_TRUE(result->error().no_capacity);
  EXPECT_THAT(result->error().message,
              testing::HasSubstr("Too many open files (raise the limit: LimitNOFILE="));
  ASSERT_TRUE(last_lack_of_descriptors());
  EXPECT_GE(*last_lack_of_descriptors(), before);
  Connector few(resolver, deadlines, place, 0s, nullptr, 10);
  ASSERT_TRUE(connect(few));
  EXPECT_TRUE(*result) << result->error().message;
}

TEST_F(ConnectorTest, AnAttemptWithSpareDescriptorsNotesNoLack) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const auto lack = last_lack_of_descriptors();
  Connector connector(resolver, deadlines, list(open.local_endpoint()));
  ASSERT_TRUE(connect(connector, static_cast<int>(limit.rlim_cur) - 1));
  ASSERT_FALSE(*result);
  EXPECT_EQ(last_lack_of_descriptors(), lack);
  ASSERT_TRUE(connect(connector));
  EXPECT_TRUE(*result) << result->error().message;
}

TEST_F(ConnectorTest, AKnownAddressHasToBeTheNameOverTls) {
  TlsPeer peer(loop);
  const auto tls = std::make_shared<TlsClient>(TlsSettings{peer.ca_file(), "", "", "", true});
  Connector right(resolver, deadlines, list(peer.address()), tls, "localhost");
  ASSERT_TRUE(connect(right));
  EXPECT_TRUE(*result) << result->error().message;
  EXPECT_EQ(peer.name(), "localhost");
  Connector wrong(resolver, deadlines, list(peer.address()), tls, "another.example");
  ASSERT_TRUE(connect(wrong));
  ASSERT_FALSE(*result) << "the certificate is for the address, but not for the name";
  EXPECT_THAT(result->error().message, HasSubstr("TLS handshake failed: its certificate is not accepted"));
  EXPECT_THAT(result->error().message, HasSubstr("another.example"));
  EXPECT_EQ(peer.name(), "another.example");
}

TEST_F(ConnectorTest, OfSeveralKnownAddressesOneThatRefusesHidesNoneOverTls) {
  TlsPeer peer(loop);
  Connector connector(resolver, deadlines, list(closed_port(), peer.address()),
                      std::make_shared<TlsClient>(TlsSettings{peer.ca_file(), "", "", "", true}),
                      "localhost");
  ASSERT_TRUE(connect(connector));
  EXPECT_TRUE(*result) << result->error().message;
}

TEST_F(ConnectorTest, NamesEachOfSeveralAddressesThatFailed) {
  const auto first = closed_port();
  const auto second = closed_port();
  Connector connector(resolver, deadlines, list(first, second));
  ASSERT_TRUE(connect(connector));
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().message,
            fmt::format("cannot connect: 127.0.0.1:{}: Connection refused; 127.0.0.1:{}: Connection refused",
                        first.port(), second.port()));
}

TEST_F(ConnectorTest, AnAddressThatRefusesDoesNotHideTheNext) {
  Connector connector(resolver, deadlines, list(closed_port(), open.local_endpoint()));
  ASSERT_TRUE(connect(connector));
  EXPECT_TRUE(*result) << result->error().message;
}

TEST_F(ConnectorTest, AnAddressThatDoesNotAnswerDelaysTheNextOneOnce) {
  const DeadPort dead(loop);
  Connector connector(resolver, deadlines, list(dead.address(), open.local_endpoint()));
  const auto first = connect(connector);
  ASSERT_TRUE(first);
  ASSERT_TRUE(*result) << result->error().message;
  EXPECT_GE(*first, 250ms);
  const auto second = connect(connector);
  ASSERT_TRUE(second);
  ASSERT_TRUE(*result) << result->error().message;
  EXPECT_LT(*second, 250ms);
}

// The attempt at the first address is cancelled, and ends during the handshake with the second one.
TEST_F(ConnectorTest, AnAddressThatDoesNotAnswerDoesNotEndTheHandshakeWithAnother) {
  const DeadPort dead(loop);
  TlsPeer peer(loop);
  Connector connector(resolver, deadlines, list(dead.address(), peer.address()),
                      std::make_shared<TlsClient>(TlsSettings{peer.ca_file(), "", "", "", true}),
                      "localhost");
  ASSERT_TRUE(connect(connector));
  EXPECT_TRUE(*result) << result->error().message;
}

TEST_F(ConnectorTest, ADestroyedAttemptCallsNoHandler) {
  Connector connector(resolver, deadlines, list(open.local_endpoint()));
  auto attempt = connector.connect([&](auto) { FAIL(); });
  attempt.reset();
  auto looking_up =
      Connector(resolver, deadlines, Address{"localhost", 1}, 0s).connect([&](auto) { FAIL(); });
  EXPECT_TRUE(looking_up->looking_up());
  looking_up.reset();
  loop.run_for(10ms);
}

TEST_F(ConnectorTest, AHandshakeThatCannotBeWaitedForHasFailed) {
  Connector connector(resolver, deadlines, {"127.0.0.1", open.local_endpoint().port()}, 0s,
                      std::make_shared<TlsClient>(TlsSettings{}));
  const auto attempt = connector.connect([&](auto stream) { result.emplace(std::move(stream)); });
  const auto& stream = AttemptTest::stream(*attempt);
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!stream && loop.run_one_until(end)) {
  }
  ASSERT_TRUE(stream) << "it came to the handshake, which nobody answers";
  AttemptTest::stream(*attempt)->socket().cancel();
  while (!result && loop.run_one_until(end)) {
  }
  ASSERT_TRUE(result);
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().message, "TLS handshake failed: Operation canceled");
}

TEST_F(ConnectorTest, WithoutADescriptorItSaysWhatToDo) {
  Connector connector(resolver, deadlines, list(open.local_endpoint()));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto ended = connect(connector);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(ended);
  ASSERT_FALSE(*result);
  EXPECT_THAT(result->error().message, HasSubstr("cannot connect: Too many open files (raise the limit"));
}

TEST_F(ConnectorTest, AUnixSocketWhoseQueueIsFull) {
  using asio::local::stream_protocol;
  const base::TestDir dir;
  stream_protocol::acceptor full(loop, stream_protocol::endpoint(dir / "full.sock"), false);
  full.listen(0);
  stream_protocol::socket first(loop);
  first.connect(full.local_endpoint());
  Connector connector(resolver, deadlines, list(full.local_endpoint()));
  ASSERT_TRUE(connect(connector));
  ASSERT_FALSE(*result);
  EXPECT_THAT(result->error().message, HasSubstr("cannot connect: its queue of connections is full"));
}

}  // namespace
}  // namespace driveshaft::net
