// SPDX-License-Identifier: MIT
#include "http/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "http/test_exchange.h"
#include "net/tls.h"

namespace driveshaft::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;
using Kind = Failure::Kind;

TEST_F(EndpointTest, ARequestIsItsHeadItsHeaderLinesAndItsBody) {
  endpoint.set_header_lines("X-Own: 1\r\n");
  TestExchange exchange(endpoint, "workload");
  endpoint.post(exchange);
  const std::string request = request_on(0);
  EXPECT_THAT(request, StartsWith("POST /jobs HTTP/1.1\r\nHost: 127.0.0.1:"));
  EXPECT_THAT(request,
              testing::EndsWith("X-Own: 1\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nworkload"));
  server.peers[0]->send(test_response("an answer", "201 Created"));
  finish(exchange);
  EXPECT_EQ(exchange.status, 201u);
  EXPECT_EQ(exchange.body, "an answer");
  EXPECT_TRUE(exchange.connected());
  EXPECT_TRUE(endpoint.unused());
}

TEST_F(EndpointTest, AConnectionIsKeptForTheNextRequest) {
  exchange_on(0);
  EXPECT_EQ(endpoint.health().idle_connections, 1u);
  TestExchange second(endpoint);
  endpoint.post(second);
  EXPECT_EQ(endpoint.health().idle_connections, 0u);
  request_on(0);
  server.peers[0]->send(test_response("again"));
  finish(second);
  EXPECT_FALSE(second.connected()) << "no connection was opened for it";
  EXPECT_EQ(server.peers.size(), 1u);
}

TEST_F(EndpointTest, RequestsAtTheSameTimeHaveAConnectionEach) {
  TestExchange first(endpoint);
  TestExchange second(endpoint);
  endpoint.post(first);
  endpoint.post(second);
  request_on(0);
  request_on(1);
  server.peers[1]->send(test_response("the one on the second connection"));
  wait_until([&] { return first.done() || second.done(); });
  server.peers[0]->send(test_response("the other"));
  finish(first);
  finish(second);
  EXPECT_EQ(endpoint.health().idle_connections, 2u);
}

TEST_F(EndpointTest, TheLastConnectionThatWasUsedIsUsedNext) {
  TestExchange first(endpoint);
  TestExchange second(endpoint);
  endpoint.post(first);
  endpoint.post(second);
  request_on(0);
  request_on(1);
  server.peers[1]->send(test_response("1"));
  wait_until([&] { return first.done() || second.done(); });
  server.peers[0]->send(test_response("0"));
  wait_until([&] { return first.done() && second.done(); });
  exchange_on(0);
}

TEST_F(EndpointTest, AnExchangeMayPostAgainAtItsEnd) {
  TestExchange first(endpoint);
  TestExchange second(endpoint);
  first.then = [&] { endpoint.post(second); };
  server.answer = [](const std::string&) { return test_response("done"); };
  endpoint.post(first);
  finish(second);
  EXPECT_EQ(second.body, "done");
}

TEST_F(EndpointTest, ConnectionCloseIsObeyed) {
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send(test_response("bye", "200 OK", "Connection: close\r\n"));
  finish(exchange);
  EXPECT_EQ(endpoint.health().connections, 0u);
  exchange_on(1);
}

TEST_F(EndpointTest, AConnectionThatTheEndpointClosesWhileIdleIsNotUsed) {
  exchange_on(0);
  server.peers[0]->close();
  wait_until([&] { return endpoint.health().connections == 0; });
  exchange_on(1);
}

TEST_F(EndpointTest, AConnectionWithBytesBeforeARequestIsNotUsed) {
  exchange_on(0);
  server.peers[0]->send("HTTP/1.1 408 Request Timeout\r\n\r\n");
  wait_until([&] { return endpoint.health().connections == 0; });
  exchange_on(1);
}

TEST_F(EndpointTest, AResponseBeforeTheWholeRequestIsTakenAndItsConnectionClosed) {
  const std::string big(64 * 1024 * 1024, 'x');
  TestExchange exchange(endpoint, big);
  endpoint.post(exchange);
  wait_until([&] { return !server.peers.empty(); });
  server.peers[0]->pause_reading();
  server.peers[0]->send(test_response("too much", "413 Content Too Large"));
  finish(exchange);
  EXPECT_EQ(exchange.status, 413u);
  EXPECT_EQ(endpoint.health().connections, 0u);
}

TEST_F(EndpointTest, ABigRequestArrivesWhole) {
  const std::string big(8 * 1024 * 1024, 'x');
  TestExchange exchange(endpoint, big);
  endpoint.post(exchange);
  EXPECT_THAT(request_on(0), testing::EndsWith(big));
  server.peers[0]->send(test_response("done"));
  finish(exchange);
  EXPECT_EQ(endpoint.health().idle_connections, 1u);
}

TEST_F(EndpointTest, AKeptConnectionThatIsClosedBeforeTheResponseIsStale) {
  TestExchange exchange(endpoint);
  lose_kept_connection(exchange);
  ASSERT_EQ(exchange.failure, Kind::stale_connection);
  EXPECT_FALSE(endpoint.health().down);
  endpoint.send_again(exchange);
  EXPECT_THAT(request_on(1), testing::EndsWith("job"));
  server.peers[1]->send(test_response("done"));
  wait_until([&] { return exchange.times_finished == 2; });
  EXPECT_EQ(exchange.body, "done");
}

TEST_F(EndpointTest, ANewConnectionThatIsClosedBeforeTheResponseIsLost) {
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->close();
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::connection_lost);
  EXPECT_TRUE(endpoint.health().tried);
  EXPECT_FALSE(endpoint.health().down);
}

TEST_F(EndpointTest, ANewConnectionThatIsResetBeforeTheResponseIsStale) {
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->reset();
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::stale_connection) << exchange.message;
}

TEST_F(EndpointTest, ANewConnectionThatIsResetWithinTheRequestIsLost) {
  TestExchange exchange(endpoint, std::string(32 * 1024 * 1024, 'x'));
  endpoint.post(exchange);
  wait_until([&] { return !server.peers.empty() && server.peers[0]->receives(); });
  server.peers[0]->reset();
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::connection_lost) << exchange.message;
}

// A web server that ends closes the connections that it keeps, and those that it has not accepted are reset.
TEST_F(EndpointTest, AKeptConnectionThatIsClosedAndThenANewOneThatIsResetAreBothStale) {
  TestExchange exchange(endpoint);
  lose_kept_connection(exchange);
  EXPECT_EQ(exchange.failure, Kind::stale_connection);
  endpoint.send_again(exchange);
  request_on(1);
  server.peers[1]->reset();
  wait_until([&] { return exchange.times_finished == 2; });
  EXPECT_EQ(exchange.failure, Kind::stale_connection) << exchange.message;
  endpoint.send_again(exchange);
  request_on(2);
  server.peers[2]->send(test_response("done"));
  wait_until([&] { return exchange.times_finished == 3; });
  EXPECT_EQ(exchange.body, "done");
}

TEST_F(EndpointTest, AConnectionThatIsClosedWithinTheResponseIsLost) {
  exchange_on(0);
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  server.peers[0]->close();
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::connection_lost);
}

TEST_F(EndpointTest, BytesThatAreNotHttpAreMalformed) {
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send("SSH-2.0-OpenSSH\r\n");
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::malformed);
  EXPECT_THAT(exchange.message, HasSubstr("SSH-2.0"));
  EXPECT_EQ(endpoint.health().connections, 0u);
}

TEST_F(EndpointTest, ABodyAboveTheLimitIsTooLarge) {
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send(test_response(std::string(kMaxResponse, 'x')));
  finish(exchange);
  EXPECT_EQ(exchange.body.size(), kMaxResponse);
  TestExchange larger(endpoint);
  endpoint.post(larger);
  request_on(0);
  server.peers[0]->send(test_response(std::string(kMaxResponse + 1, 'x')));
  finish(larger);
  EXPECT_EQ(larger.failure, Kind::too_large);
}

TEST_F(EndpointTest, AHeaderAboveTheLimitIsTooLarge) {
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x'));
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::too_large);
}

TEST_F(EndpointTest, CancelClosesTheConnectionAndFinishesNothing) {
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(0);
  EXPECT_TRUE(Endpoint::sent(exchange));
  endpoint.cancel(exchange);
  EXPECT_TRUE(endpoint.unused());
  EXPECT_EQ(endpoint.health().connections, 0u);
  wait_until([&] { return server.peers[0]->ended(); });
  EXPECT_FALSE(exchange.done());
  exchange_on(1);
}

TEST_F(EndpointTest, CancelWhileTheConnectionOpensLeavesItToAnotherRequest) {
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  EXPECT_FALSE(Endpoint::sent(exchange));
  endpoint.cancel(exchange);
  wait_until([&] { return endpoint.health().idle_connections == 1; });
  exchange_on(0);
  EXPECT_FALSE(exchange.done());
}

TEST_F(EndpointTest, NoMoreThan64ConnectionsAreOpenedAtOnce) {
  std::deque<TestExchange> exchanges;
  for (int i = 0; i < 66; ++i) endpoint.post(exchanges.emplace_back(endpoint));
  EXPECT_EQ(endpoint.health().connections, 64u);
  endpoint.cancel(exchanges.back());  // it waits
  server.answer = [](const std::string&) { return test_response("done"); };
  wait_until([&] { return endpoint.unused(); });
  EXPECT_EQ(server.requests, 65);
  EXPECT_FALSE(exchanges.back().done());
}

TEST_F(EndpointTest, WithoutAServerItIsUnreachable) {
  server.stop();
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::unreachable);
  EXPECT_THAT(exchange.message, HasSubstr("Connection refused"));
  EXPECT_TRUE(endpoint.health().down);
  EXPECT_EQ(endpoint.health().why, exchange.message);
  server.start();
  exchange_on(0);
  EXPECT_FALSE(endpoint.health().down);
}

TEST_F(EndpointTest, AConnectionThatTakesLongerThanConnectTimeoutIsUnreachable) {
  auto slow = settings();
  slow.uri = *net::parse_uri("https" + server.uri().substr(4));
  slow.tls = std::make_shared<net::TlsClient>(net::TlsSettings{});
  slow.connect_timeout = 10ms;  // the server says nothing, so the handshake is never done
  Endpoint https(resolver, deadlines, slow);
  TestExchange exchange(https);
  https.post(exchange);
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::unreachable);
  EXPECT_THAT(exchange.message, HasSubstr("no connection within endpoint_connect_timeout (10 ms)"));
}

TEST_F(EndpointTest, AProbeOpensAConnectionForTheNextRequest) {
  int probed = 0;
  endpoint.probe([&](const auto& result) {
    EXPECT_TRUE(result);
    ++probed;
  });
  EXPECT_EQ(probed, 0);
  wait_until([&] { return probed == 1; });
  EXPECT_EQ(endpoint.health().idle_connections, 1u);
  exchange_on(0);
}

TEST_F(EndpointTest, AProbeOfAnEndpointWithoutAServerFails) {
  server.stop();
  std::optional<Kind> kind;
  endpoint.probe([&](const auto& result) {
    ASSERT_FALSE(result);
    kind = result.error().kind;
  });
  wait_until([&] { return kind.has_value(); });
  EXPECT_EQ(kind, Kind::unreachable);
  EXPECT_EQ(endpoint.health().connections, 0u);
}

TEST_F(EndpointTest, AnEndpointThatIsDestroyedFinishesNothing) {
  TestExchange exchange(endpoint);
  {
    Endpoint other(resolver, deadlines, settings());
    other.post(exchange);
    request_on(0);
    other.probe([](const auto&) { FAIL(); });
  }
  wait_until([&] { return server.peers[0]->ended(); });
  EXPECT_FALSE(exchange.done());
}

constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST_F(EndpointTest, AStreamedResponseComesInChunksAndCanBePaused) {
  TestExchange exchange(endpoint);
  exchange.stream();
  exchange.wants_more = false;
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send(std::string(kStreamHead) + "3\r\none\r\n");
  wait_until([&] { return exchange.chunks == "one"; });
  server.peers[0]->send("3\r\ntwo\r\n0\r\n\r\n");
  net::run_ready(loop);
  EXPECT_EQ(exchange.chunks, "one") << "nothing is read";
  exchange.wants_more = true;
  Endpoint::resume_reading(exchange);
  Endpoint::resume_reading(exchange);  // changes nothing
  finish(exchange);
  EXPECT_EQ(exchange.chunks, "onetwo");
  EXPECT_TRUE(exchange.streamed);
  EXPECT_EQ(exchange.body, "");
  exchange_on(0);
}

TEST_F(EndpointTest, AStreamedResponseMayBeLargerThanTheLimit) {
  TestExchange exchange(endpoint);
  exchange.stream();
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send(std::string(kStreamHead) + "7d0\r\n" + std::string(2000, 'x') + "\r\n0\r\n\r\n");
  finish(exchange);
  EXPECT_EQ(exchange.chunks.size(), 2000u);
}

TEST_F(EndpointTest, AnExchangeThatDoesNotStreamGetsTheWholeBody) {
  TestExchange exchange(endpoint);
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send(std::string(kStreamHead) + "3\r\none\r\n0\r\n\r\n");
  finish(exchange);
  EXPECT_EQ(exchange.body, "one");
  EXPECT_FALSE(exchange.streamed);
}

TEST_F(EndpointTest, AChunkThatTheExchangeRefusesEndsIt) {
  TestExchange exchange(endpoint);
  exchange.stream();
  exchange.refuses_chunks = true;
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send(std::string(kStreamHead) + "3\r\none\r\n");
  finish(exchange);
  EXPECT_EQ(exchange.failure, Kind::malformed);
  EXPECT_EQ(endpoint.health().connections, 0u);
}

TEST_F(EndpointTest, CancelWhilePausedClosesTheConnection) {
  TestExchange exchange(endpoint);
  exchange.stream();
  exchange.wants_more = false;
  endpoint.post(exchange);
  request_on(0);
  server.peers[0]->send(std::string(kStreamHead) + "3\r\none\r\n");
  wait_until([&] { return exchange.chunks == "one"; });
  endpoint.cancel(exchange);
  Endpoint::resume_reading(exchange);  // it has no connection
  wait_until([&] { return server.peers[0]->ended(); });
  EXPECT_TRUE(endpoint.unused());
}

}  // namespace
}  // namespace driveshaft::http
