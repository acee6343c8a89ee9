// SPDX-License-Identifier: MIT
// Which connections an endpoint keeps, and how it replaces those that are over their age.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "http/test_exchange.h"

namespace driveshaft::http {

struct EndpointAccess {
  // Makes all connections of the endpoint older by this.
  static void age(Endpoint& endpoint, std::chrono::milliseconds by) {
    for (const auto& [_, connection] : endpoint.connections_) connection->opening_at_ -= by;
  }
  static void sweep(Endpoint& endpoint) { endpoint.close_unused(); }
  static std::size_t waiting(const Endpoint& endpoint) { return endpoint.waiting_.size(); }
};

namespace {

using namespace std::chrono_literals;
using Access = EndpointAccess;
using Kind = Failure::Kind;

constexpr auto kMostAge = 100s;
constexpr auto kOver = 121s;

class KeptConnectionsTest : public EndpointTest {
 protected:
  std::size_t connections() const { return endpoint.health().connections; }
  std::size_t idle() const { return endpoint.health().idle_connections; }
  // A connection is over its age, and a new one is being opened for it.
  void begin_renewal() {
    endpoint.set_max_connection_age(kMostAge);
    exchange_on(0);
    Access::age(endpoint, kOver);
    ASSERT_EQ(connections(), 1u);
    exchange_on(0);
    ASSERT_EQ(connections(), 2u);
  }
  void finish_renewal() {
    wait_until([&] { return connections() == 1 && server.peers[0]->ended(); });
    ASSERT_EQ(server.peers.size(), 2u);
  }
};

TEST_F(KeptConnectionsTest, OneOverItsAgeIsReplacedWhileItIsIdle) {
  begin_renewal();
  EXPECT_EQ(idle(), 1u) << "it is there for jobs until the new one is ready";
  finish_renewal();
  EXPECT_EQ(idle(), 1u);
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(1);
  server.peers[1]->send(test_response("done"));
  finish(exchange);
  EXPECT_EQ(exchange.body, "done");
  EXPECT_FALSE(exchange.connected()) << "it waited for no connection";
}

TEST_F(KeptConnectionsTest, OneOverItsAgeWorksUntilTheNewOneIsReadyAndItsExchangeIsOver) {
  begin_renewal();
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(0);
  EXPECT_FALSE(exchange.connected());
  wait_until([&] { return idle() == 1; });
  EXPECT_EQ(connections(), 2u) << "the old one is busy";
  server.peers[0]->send(test_response("done"));
  finish(exchange);
  EXPECT_EQ(exchange.body, "done");
  EXPECT_EQ(connections(), 1u);
  finish_renewal();
  exchange_on(1);
}

TEST_F(KeptConnectionsTest, WithoutANewOneTheOldOneStaysUntilALaterTry) {
  endpoint.set_max_connection_age(kMostAge);
  exchange_on(0);
  Access::age(endpoint, kOver);
  server.refuse();
  exchange_on(0);
  ASSERT_EQ(connections(), 2u);
  wait_until([&] { return connections() == 1; });
  EXPECT_EQ(idle(), 1u);
  EXPECT_FALSE(endpoint.health().down);
  server.start();
  exchange_on(0);
  EXPECT_EQ(connections(), 1u) << "not tried again at once";
  Access::sweep(endpoint);
  exchange_on(0);
  EXPECT_EQ(connections(), 2u);
  finish_renewal();
  exchange_on(1);
}

TEST_F(KeptConnectionsTest, ANewOneThatIsClosedAtOnceReplacesNone) {
  endpoint.set_max_connection_age(kMostAge);
  exchange_on(0);
  Access::age(endpoint, kOver);
  server.closes_at_once = true;
  exchange_on(0);
  wait_until([&] { return server.peers.size() == 2 && connections() == 1; });
  exchange_on(0);
  EXPECT_EQ(connections(), 1u);
}

TEST_F(KeptConnectionsTest, EachDrawsItsLimitWhenItIsOpened) {
  auto shares = settings();
  shares.max_connection_age = kMostAge;
  static int drawn;
  drawn = 0;
  shares.age_share = [] { return drawn++ == 0 ? 0.0 : 0.99; };
  Endpoint other(resolver, deadlines, shares);
  server.answer = [](const std::string&) { return test_response("done"); };
  // Whether an exchange begins the replacement of a connection that is older by this.
  const auto is_over_after = [&](std::chrono::seconds more) {
    Access::age(other, more);
    TestExchange exchange(other);
    other.post(exchange);
    finish(exchange);
    return other.health().connections == 2;
  };
  EXPECT_FALSE(is_over_after(0s));
  EXPECT_FALSE(is_over_after(70s));
  ASSERT_TRUE(is_over_after(11s));
  wait_until([&] { return other.health().connections == 1; });
  EXPECT_FALSE(is_over_after(109s));
  EXPECT_TRUE(is_over_after(11s));
}

TEST_F(KeptConnectionsTest, ALimitHoldsForThoseThatExist) {
  exchange_on(0);
  Access::age(endpoint, kOver);
  exchange_on(0);
  EXPECT_EQ(connections(), 1u) << "there is no limit";
  endpoint.set_max_connection_age(kMostAge);
  exchange_on(0);
  EXPECT_EQ(connections(), 2u);
}

class FastcgiConnectionsTest : public KeptConnectionsTest {
 protected:
  FastcgiConnectionsTest() : fastcgi(resolver, deadlines, fastcgi_settings()) {}

  // An exchange on a new connection.
  void exchange() {
    const std::string out("\1\6\0\1\0\4\0\0\r\n\r\n", 12);
    const std::string end("\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0", 16);
    const auto before = server.peers.size();
    TestExchange exchange(fastcgi);
    fastcgi.post(exchange);
    wait_until([&] { return Endpoint::sent(exchange); });  // the test's server cannot read FastCGI
    wait_until([&] { return server.peers.size() == before + 1; });
    server.peers.back()->send(out + end);
    finish(exchange);
    EXPECT_EQ(exchange.status, 200u) << exchange.message;
  }

  Endpoint fastcgi;

 private:
  Endpoint::Settings fastcgi_settings() {
    auto changed = settings();
    changed.uri = *net::parse_uri("fcgi" + server.uri().substr(4) + "/worker.php");
    return changed;
  }
};

TEST_F(FastcgiConnectionsTest, EachExchangeHasItsOwnConnectionThatTheEndpointCloses) {
  exchange();
  exchange();
  EXPECT_EQ(fastcgi.health().idle_connections, 0u);
  EXPECT_EQ(fastcgi.health().connections, 2u) << "the other side keeps the port of the one that closes first";
  server.peers[0]->close();
  server.peers[1]->close();
  wait_until([&] { return fastcgi.health().connections == 0; });
}

TEST_F(FastcgiConnectionsTest, OneThatBreaksAtOnceIsStale) {
  TestExchange exchange(fastcgi);
  server.closes_at_once = true;
  fastcgi.post(exchange);
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::stale_connection) << exchange.message;
  fastcgi.send_again(exchange);
  wait_until([&] { return exchange.times_finished == 2; });
  EXPECT_EQ(exchange.failure, Kind::stale_connection) << exchange.message;
}

TEST_F(FastcgiConnectionsTest, FewAreLeftToTheEndpointToCloseAndNotForLong) {
  for (int i = 0; i < 70; ++i) exchange();
  EXPECT_EQ(fastcgi.health().connections, 64u);
  wait_until([&] { return server.peers[5]->ended(); });
  EXPECT_FALSE(server.peers[6]->ended());
  Access::sweep(fastcgi);
  EXPECT_EQ(fastcgi.health().connections, 64u);
  Access::sweep(fastcgi);
  EXPECT_EQ(fastcgi.health().connections, 0u);
}

TEST_F(KeptConnectionsTest, OneThatNobodyUsesIsNotReplaced) {
  endpoint.set_max_connection_age(kMostAge);
  exchange_on(0);
  Access::age(endpoint, kOver);
  Access::sweep(endpoint);
  EXPECT_EQ(connections(), 1u);
  Access::sweep(endpoint);
  EXPECT_EQ(connections(), 0u);
  wait_until([&] { return server.peers[0]->ended(); });
  EXPECT_EQ(server.peers.size(), 1u);
}

TEST_F(KeptConnectionsTest, FourAreReplacedAtOnce) {
  endpoint.set_max_connection_age(kMostAge);
  std::deque<TestExchange> exchanges;
  for (std::size_t i = 0; i < 6; ++i) endpoint.post(exchanges.emplace_back(endpoint));
  for (std::size_t i = 0; i < 6; ++i) request_on(i);
  Access::age(endpoint, kOver);
  for (const auto& peer : server.peers) peer->send(test_response("done"));
  wait_until([&] { return endpoint.unused(); });
  EXPECT_LE(connections(), 10u);
  wait_until([&] { return connections() == 6; });
  EXPECT_GE(server.peers.size(), 10u);
}

TEST_F(KeptConnectionsTest, AJobDoesNotWaitForConnectionsThatReplaceOthers) {
  begin_renewal();
  std::deque<TestExchange> exchanges;
  // One goes over the old connection; 63 connections are opened beside the new one, and another in its place.
  for (int i = 0; i < 65; ++i) endpoint.post(exchanges.emplace_back(endpoint));
  EXPECT_EQ(Access::waiting(endpoint), 0u);
  EXPECT_EQ(connections(), 65u);
  endpoint.post(exchanges.emplace_back(endpoint));
  EXPECT_EQ(Access::waiting(endpoint), 1u);
  server.answer = [](const std::string&) { return test_response("done"); };
  wait_until([&] { return endpoint.unused(); });
  for (const TestExchange& exchange : exchanges) EXPECT_EQ(exchange.body, "done");
}

TEST_F(KeptConnectionsTest, AProbeIsNotDisturbed) {
  begin_renewal();
  int probed = 0;
  endpoint.probe([&](const auto& result) {
    EXPECT_TRUE(result);
    ++probed;
  });
  wait_until([&] { return probed == 1 && server.peers.size() == 3; });
  wait_until([&] { return connections() == 2; });
  EXPECT_EQ(idle(), 2u);
  EXPECT_EQ(probed, 1);
}

// Nobody has used it, but the endpoint had time to close it.
TEST_F(KeptConnectionsTest, OneThatWaitedForItsFirstExchangeMayBeStale) {
  begin_renewal();
  finish_renewal();
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(1);
  server.peers[1]->close();
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::stale_connection);
}

TEST_F(KeptConnectionsTest, CloseIdleClosesAllPresentConnections) {
  TestExchange first(endpoint);
  TestExchange second(endpoint);
  endpoint.post(first);
  endpoint.post(second);
  request_on(0);
  request_on(1);
  server.peers[0]->send(test_response("0"));
  wait_until([&] { return first.done() || second.done(); });
  endpoint.close_idle();
  EXPECT_EQ(idle(), 0u);
  EXPECT_EQ(connections(), 1u);
  wait_until([&] { return server.peers[0]->ended(); });
  EXPECT_FALSE(server.peers[1]->ended());
  server.peers[1]->send(test_response("1"));
  wait_until([&] { return first.done() && second.done(); });
  EXPECT_FALSE(first.failure || second.failure);
  EXPECT_EQ(connections(), 0u);
  exchange_on(2);
  EXPECT_EQ(idle(), 1u) << "one that was opened later is kept";
}

TEST_F(KeptConnectionsTest, CloseIdleAtTheEndOfAnExchangeClosesItsConnection) {
  TestExchange exchange(endpoint);
  exchange.then = [&] { endpoint.close_idle(); };
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send(test_response("done"));
  finish(exchange);
  EXPECT_EQ(connections(), 0u);
}

TEST_F(KeptConnectionsTest, CloseIdleLetsAnOpeningConnectionCarryItsExchange) {
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  bool probed = false;
  endpoint.probe([&](const auto& result) { probed = result.has_value(); });
  server.answer = [](const std::string&) { return test_response("done"); };
  endpoint.close_idle();
  EXPECT_EQ(connections(), 2u);
  finish(exchange);
  wait_until([&] { return probed; });
  EXPECT_EQ(exchange.body, "done");
  EXPECT_EQ(connections(), 0u);
}

TEST_F(KeptConnectionsTest, CloseIdleEndsARenewal) {
  begin_renewal();
  endpoint.close_idle();
  EXPECT_EQ(connections(), 1u) << "it is being opened";
  wait_until([&] { return connections() == 0; });
  wait_until([&] { return server.peers[0]->ended(); });
}

TEST_F(KeptConnectionsTest, GivenAddressesAreUsedInsteadOfTheName) {
  auto known = settings();
  const auto port = known.uri.port;
  known.uri = *net::parse_uri("http://no-such-host.invalid:" + std::to_string(port) + "/jobs");
  known.addresses = {{asio::ip::address_v4::loopback(), 0}};
  Endpoint other(resolver, deadlines, known);
  TestExchange exchange(other);
  other.post(exchange);
  EXPECT_THAT(request_on(0), testing::HasSubstr("Host: no-such-host.invalid:" + std::to_string(port)));
  server.peers[0]->send(test_response("done"));
  finish(exchange);
  EXPECT_EQ(exchange.body, "done");
}

}  // namespace
}  // namespace driveshaft::http
