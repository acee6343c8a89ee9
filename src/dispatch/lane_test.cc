// SPDX-License-Identifier: MIT
#include "dispatch/lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The lanes of `pool`, each as "key: functions".
std::vector<std::string> lanes(const config::PoolConfig& pool) {
  std::vector<std::string> texts;
  for (const auto& lane : plan_lanes(pool)) {
    std::string text = lane.key + ":";
    for (const auto& name : lane.functions) text += " " + name;
    texts.push_back(text);
  }
  return texts;
}

config::PoolConfig pool() {
  return {"Regular", *net::parse_uri("http://h/"), 4, {"a", "b", "c", "d"}, {}, {}, {}};
}

TEST(PlanLanes, FunctionsWithoutSettingsShareALane) {
  EXPECT_THAT(lanes(pool()), ElementsAre(": a b c d"));
  config::PoolConfig empty = pool();
  empty.jobs_list.clear();
  EXPECT_THAT(lanes(empty), IsEmpty());
}

TEST(PlanLanes, ALimitOrAnEndpointMakesALaneAndATimeDoesNot) {
  config::PoolConfig some = pool();
  some.functions["a"].max_running_time = std::chrono::seconds(1);
  some.functions["b"].max_concurrency = 1;
  some.functions["d"].endpoint = net::parse_uri("http://other/").value();
  EXPECT_THAT(lanes(some), ElementsAre(": a c", "b: b", "d: d"));
}

TEST(PlanLanes, WithFairnessEachFunctionHasItsOwnLane) {
  config::PoolConfig fair = pool();
  fair.settings.fairness = config::Fairness::function;
  fair.functions["b"].max_concurrency = 1;
  EXPECT_THAT(lanes(fair), ElementsAre("a: a", "b: b", "c: c", "d: d"));
}

}  // namespace
}  // namespace driveshaft::dispatch
