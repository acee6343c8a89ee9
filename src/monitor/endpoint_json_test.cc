// SPDX-License-Identifier: MIT
#include "monitor/endpoint_json.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using dispatch::BackendStatus;

BackendStatus backend(const std::string& name, BackendStatus::State state) {
  static std::uint64_t last_id = 0;
  BackendStatus status;
  status.id = ++last_id;
  status.name = name;
  status.state = state;
  status.since = SteadyTime(90s);
  status.limit = 4;
  return status;
}

class EndpointJson : public testing::Test {
 protected:
  EndpointJson() {
    snapshot.at = SteadyTime(100s);
    snapshot.wall = WallTime(1000s);
    pool.settings.name = "Regular";
    pool.settings.endpoint = *net::parse_uri("http://shop/");
    pool.endpoint.state = dispatch::EndpointStatus::State::up;
    pool.endpoint.since = SteadyTime(90s);
  }

  // The two backends have had attempts since the last second.
  void second(std::uint64_t of_first, std::uint64_t failed_of_second) {
    pool.endpoint.backends[0].tally.outcomes.completed += of_first;
    pool.endpoint.backends[1].tally.outcomes.failed += failed_of_second;
    backends["Regular"].add(SteadyTime(passed += 1s), pool);
  }

  std::string shown(const boost::json::value& value) { return boost::json::serialize(value); }

  View view() const { return {about, snapshot, 0s, histories, backends, queues}; }

  About about;
  Snapshot snapshot;
  dispatch::PoolStatus pool;
  std::map<std::string, History> histories;
  std::map<std::string, BackendHistories> backends;
  std::map<std::string, QueueReport> queues;
  std::chrono::seconds passed{0};
};

TEST_F(EndpointJson, AlwaysHasItsBackends) {
  pool.endpoint.backends = {backend("http://shop/", BackendStatus::State::untried)};
  EXPECT_EQ(
      shown(endpoint_json(view(), pool)),
      R"({"uri":"http://shop/","state":"up","since":990,"why":null,"next_try":null,"held":0,"limit":0,"full":false,)"
      R"("connections":0,"idle_connections":0,"backends":[{"name":"http://shop/","state":"untried",)"
      R"("since":null,"why":null,"next_try":null,"weight":1,"running":0,"limit":4,"full":false,"connections":0,)"
      R"("idle_connections":0,"attempts_per_second":null,"failures_per_second":null,"share":null,)"
      R"("p95":null}]})");
}

TEST_F(EndpointJson, BackendsShareTheAttemptsOfAMinute) {
  pool.endpoint.backends = {backend("a", BackendStatus::State::up),
                            backend("b", BackendStatus::State::failing)};
  pool.endpoint.backends[1].why = "2 of 2 fail";
  pool.endpoint.backends[1].next_try = SteadyTime(103s);
  second(0, 0);
  auto json = endpoint_json(view(), pool)["backends"].as_array();
  EXPECT_TRUE(json[0].at("share").is_null()) << "there were no attempts";
  second(3, 1);
  second(3, 1);
  json = endpoint_json(view(), pool)["backends"].as_array();
  EXPECT_EQ(json[0].at("attempts_per_second"), 3);
  EXPECT_EQ(json[0].at("failures_per_second"), 0);
  EXPECT_EQ(json[0].at("share"), 0.75);
  EXPECT_EQ(json[1].at("state"), "failing");
  EXPECT_EQ(json[1].at("why"), "2 of 2 fail");
  EXPECT_EQ(json[1].at("next_try"), 1003);
  EXPECT_EQ(json[1].at("attempts_per_second"), 1);
  EXPECT_EQ(json[1].at("failures_per_second"), 1);
  EXPECT_EQ(json[1].at("share"), 0.25);
  EXPECT_TRUE(json[1].at("p95").is_null()) << "none succeeded";
}

TEST_F(EndpointJson, BackendsOfFunctionsShareThemAsWell) {
  pool.function_endpoints = {{"http://b/", {}, {"f", "g"}}};
  pool.function_endpoints[0].endpoint.backends = {backend("http://b/", BackendStatus::State::up)};
  backends["Regular"].add(SteadyTime(1s), pool);
  const auto json = function_endpoints_json(view(), pool);
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(shown(json[0].at("functions")), R"(["f","g"])");
  EXPECT_EQ(json[0].at("backends").at(0).at("attempts_per_second"), 0);
}

}  // namespace
}  // namespace driveshaft::monitor
