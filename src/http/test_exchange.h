// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadlines.h"
#include "http/endpoint.h"
#include "http/test_endpoint.h"
#include "net/test_loop.h"

namespace driveshaft::http {

inline constexpr std::size_t kMaxResponse = 1000;

// For tests: an exchange that keeps its response.
class TestExchange final : public Exchange {
 public:
  explicit TestExchange(Endpoint& endpoint, std::string_view workload = "job") : body_(workload) {
    endpoint.append_head(head_, "text/plain", body_.size());
    head_ += "\r\n";
    request_ = {asio::buffer(head_), asio::buffer(body_)};
  }

  void stream() { streams_ = true; }
  bool done() const { return times_finished > 0; }
  bool connected() const { return phases_.connect.has_value(); }

  int times_finished = 0;
  unsigned status = 0;  // 0: it has failed
  std::string body;
  bool streamed = false;
  std::optional<Failure::Kind> failure;
  std::string message;
  std::function<void()> then;  // called at its end
  // Of a streamed response.
  std::string chunks;
  bool wants_more = true;
  bool refuses_chunks = false;

 private:
  void finished(base::Result<Response, Failure> result) override {
    ++times_finished;
    if (result) {
      status = result->status;
      body = result->body;
      streamed = result->streamed;
    } else {
      failure = result.error().kind;
      message = result.error().message;
    }
    if (then) then();
  }
  base::Result<bool, Failure> on_chunk(std::string_view bytes) override {
    chunks += bytes;
    if (refuses_chunks) return Failure{Failure::Kind::malformed, "the exchange refuses it"};
    return wants_more;
  }

  std::string head_;
  std::string body_;
};

// For tests: an endpoint and its server, in one loop.
class EndpointTest : public testing::Test {
 protected:
  Endpoint::Settings settings() const {
    return {.uri = *net::parse_uri(server.uri()),
            .connect_timeout = std::chrono::seconds(5),
            .max_response_size = kMaxResponse,
            .tls = nullptr};
  }
  template <class Done>
  void wait_until(Done done) {
    ASSERT_TRUE(net::run_until(loop, done));
  }
  void finish(const TestExchange& exchange) {
    wait_until([&] { return exchange.done(); });
  }
  // The server has a request on connection `peer`.
  std::string request_on(std::size_t peer) {
    std::string request;
    wait_until([&] {
      if (server.peers.size() > peer) request = server.peers[peer]->take_request();
      return !request.empty();
    });
    return request;
  }
  // Posts a request, and answers it on connection `peer`.
  void exchange_on(std::size_t peer) {
    TestExchange exchange(endpoint);
    endpoint.post(exchange);
    request_on(peer);
    server.peers[peer]->send(test_response("done"));
    finish(exchange);
    EXPECT_EQ(exchange.body, "done");
  }
  // Posts the exchange on a kept connection, which the server closes before it answers.
  void lose_kept_connection(TestExchange& exchange) {
    exchange_on(0);
    endpoint.post(exchange);
    request_on(0);
    server.peers[0]->close();
    finish(exchange);
  }

  asio::io_context loop;
  base::DeadlineWheel deadlines{loop};
  net::Resolver resolver{loop};
  TestEndpoint server{loop};
  Endpoint endpoint{resolver, deadlines, settings()};
};

}  // namespace driveshaft::http
