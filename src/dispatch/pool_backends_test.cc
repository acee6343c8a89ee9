// SPDX-License-Identifier: MIT
// Tests of a pool whose endpoints have several backends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "dispatch/supervisor.h"
#include "dispatch/test_context.h"
#include "gearman/test_server.h"
#include "net/test_loop.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::EndsWith;

class PoolBackends : public testing::Test, protected TestContext {
 protected:
  PoolBackends() {
    config.servers = {{server.address()}};
    config.pools = {{.name = "p",
                     .endpoint = endpoint_of({{uri_of(one)}, {uri_of(two)}}),
                     .worker_count = 4,
                     .jobs_list = {"f"},
                     .settings = {}}};
  }
  ~PoolBackends() override {
    supervisor.drain(0s, [this] { drained = true; });
    EXPECT_TRUE(net::run_until(loop, [&] { return drained; }));
  }

  static net::Uri uri_of(const http::TestEndpoint& place) { return *net::parse_uri(place.uri()); }
  static config::EndpointConfig endpoint_of(std::vector<config::BackendConfig> backends) {
    config::EndpointConfig endpoint;
    endpoint.backends = std::move(backends);
    return endpoint;
  }
  static auto never() {
    return [](const std::string&) { return std::optional<std::string>(); };
  }
  static auto done() {
    return [](const std::string&) { return std::optional(test_answer("done")); };
  }

  config::PoolConfig& pool() { return config.pools[0]; }
  void apply() { supervisor.apply(config); }
  void submit(int count) {
    for (int i = 0; i < count; ++i) server.submit({"H:a:" + std::to_string(++submitted), "f", "work"});
  }
  template <class Done>
  void wait_until(Done done) {
    ASSERT_TRUE(net::run_until(loop, done));
  }
  EndpointStatus status() const { return supervisor.status(Detail::all).at(0).endpoint; }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& backend : status().backends) names.push_back(backend.name);
    return names;
  }

  gearman::TestServer server{loop};
  http::TestEndpoint one{loop};
  http::TestEndpoint two{loop};
  config::Config config;
  int submitted = 0;
  bool drained = false;
  Supervisor supervisor{context};
};

TEST_F(PoolBackends, JobsThatMeetABackendThatIsAwayGoToAnother) {
  pool().settings.endpoint_down = config::EndpointDown::fail;
  one.stop();
  two.answer = done();
  apply();
  submit(4);
  wait_until([&] { return server.results.size() == 4; });
  EXPECT_THAT(server.results, testing::Each(EndsWith(" done")));
}

TEST_F(PoolBackends, WithoutHoldJobsDoNotWaitForABackendThatIsAwayWhenAReloadRemovesTheOther) {
  pool().settings.endpoint_down = config::EndpointDown::fail;
  one.stop();
  two.answer = done();
  apply();
  submit(2);
  wait_until([&] { return server.results.size() == 2; });
  EXPECT_EQ(status().backends[0].state, BackendStatus::State::down);
  pool().endpoint = endpoint_of({{uri_of(one)}});
  apply();
  submit(1);
  wait_until([&] { return server.results.size() == 3; });
  EXPECT_EQ(server.results[2], "WORK_FAIL H:a:3");
}

TEST_F(PoolBackends, WhatRunsAtABackendOfAFunctionCountsAgainstItsLimitAfterAReload) {
  one.answer = never();
  two.answer = done();
  pool().functions["f"].endpoint = endpoint_of({{.uri = uri_of(one), .max_concurrency = 1}});
  apply();
  submit(1);
  wait_until([&] { return one.requests == 1; });
  pool().functions["f"].endpoint =
      endpoint_of({{.uri = uri_of(one), .max_concurrency = 1}, {.uri = uri_of(two)}});
  apply();
  submit(3);
  wait_until([&] { return server.results.size() == 3; });
  EXPECT_EQ(one.requests, 1);
  EXPECT_EQ(two.requests, 3);
  one.peers[0]->send(test_answer("done"));
  wait_until([&] { return server.results.size() == 4; });
}

TEST_F(PoolBackends, FunctionsWhoseBackendsDifferAfterAReloadHaveEndpointsOfTheirOwn) {
  one.answer = two.answer = done();
  pool().jobs_list = {"f", "g"};
  const config::EndpointConfig shared = uri_of(one);
  pool().functions["f"].endpoint = pool().functions["g"].endpoint = shared;
  apply();
  pool().functions["f"].endpoint = uri_of(two);
  apply();
  submit(1);
  server.submit({"H:b:1", "g", "work"});
  wait_until([&] { return server.results.size() == 2; });
  EXPECT_EQ(one.requests, 1);
  EXPECT_EQ(two.requests, 1);
}

TEST_F(PoolBackends, BackendsAreShownInTheOrderOfTheJobsFile) {
  apply();
  EXPECT_THAT(names(), ElementsAre(one.uri(), two.uri()));
  http::TestEndpoint third(loop);
  pool().endpoint = endpoint_of({{uri_of(third)}, {uri_of(two)}, {uri_of(one)}});
  apply();
  EXPECT_THAT(names(), ElementsAre(third.uri(), two.uri(), one.uri()));
}

TEST_F(PoolBackends, ARemovedBackendIsShownUntilItsLastJobIsDone) {
  one.answer = never();
  two.answer = never();
  apply();
  submit(4);
  wait_until([&] { return one.requests == 2 && two.requests == 2; });
  const auto before = status().backends[0].id;
  pool().endpoint = endpoint_of({{uri_of(two)}});
  apply();
  ASSERT_THAT(names(), ElementsAre(two.uri(), one.uri()));
  const auto draining = status().backends[1];
  EXPECT_EQ(draining.state, BackendStatus::State::draining);
  EXPECT_EQ(draining.id, before);
  EXPECT_EQ(draining.running, 2);
  EXPECT_EQ(draining.weight, 0);
  EXPECT_EQ(draining.limit, 0);
  EXPECT_EQ(status().state, EndpointStatus::State::untried);
  one.peers[0]->send(test_answer("done"));
  wait_until([&] { return server.results.size() == 1; });
  EXPECT_EQ(status().backends.at(1).running, 1);
  one.peers[1]->send(test_answer("done"));
  wait_until([&] { return server.results.size() == 2; });
  EXPECT_THAT(names(), ElementsAre(two.uri()));
}

TEST_F(PoolBackends, BackendsOfARemovedFunctionEndpointAreShownWithThePools) {
  one.answer = two.answer = never();
  pool().endpoint = endpoint_of({{uri_of(two)}});
  pool().functions["f"].endpoint = endpoint_of({{uri_of(one)}});
  apply();
  submit(1);
  wait_until([&] { return one.requests == 1; });
  pool().functions.clear();
  apply();
  EXPECT_TRUE(supervisor.status(Detail::all).at(0).function_endpoints.empty());
  ASSERT_THAT(names(), ElementsAre(two.uri(), one.uri()));
  EXPECT_EQ(status().backends[1].state, BackendStatus::State::draining);
  one.peers[0]->send(test_answer("done"));
  wait_until([&] { return server.results.size() == 1; });
  EXPECT_THAT(names(), ElementsAre(two.uri()));
}

TEST_F(PoolBackends, BackendsThatLookAlikeHaveDifferentNames) {
  const auto uri = [&](const std::string& user) {
    return *net::parse_uri("http://" + user + "@" + one.uri().substr(7));
  };
  const std::string shown = "http://***@" + one.uri().substr(7);
  pool().endpoint = endpoint_of({{uri("a:1")}, {uri_of(two)}, {uri("b:2")}});
  apply();
  EXPECT_THAT(names(), ElementsAre(shown, two.uri(), shown + " #2"));
  pool().endpoint = endpoint_of({{uri("b:2")}, {uri("c:3")}});
  apply();
  EXPECT_THAT(names(), ElementsAre(shown, shown + " #2"));
}

}  // namespace
}  // namespace driveshaft::dispatch
