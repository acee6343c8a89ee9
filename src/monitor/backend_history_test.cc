// SPDX-License-Identifier: MIT
#include "monitor/backend_history.h"

#include <gmock/gmock.h>

#include "base/seconds.h"

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using dispatch::BackendStatus;
using State = BackendStatus::State;

// A backend whose time passes a second at a step.
class Life {
 public:
  metrics::Outcomes second(std::uint64_t completed, std::uint64_t failed = 0) {
    for (std::uint64_t i = 0; i < completed; ++i) tally.durations.add(took);
    tally.outcomes.completed += completed;
    tally.outcomes.failed += failed;
    passed += 1s;
    return history.add(dispatch::SteadyTime(passed), tally);
  }

  metrics::Tally tally;
  std::chrono::nanoseconds took = 10ms;
  std::chrono::seconds passed{0};
  BackendHistory history;
};

TEST(BackendHistory, KnowsNothingAtFirst) {
  const BackendHistory history;
  EXPECT_EQ(history.figures().attempts, 0U);
  EXPECT_EQ(history.figures().attempts_per_second, 0);
  EXPECT_FALSE(history.figures().p95);
}

TEST(BackendHistory, FiguresAreOfTheLastMinute) {
  Life life;
  life.took = 5s;
  for (int i = 0; i < 20; ++i) life.second(10, 10);
  life.took = 10ms;
  for (int i = 0; i < 65; ++i) life.second(3, 1);
  const auto figures = life.history.figures();
  EXPECT_EQ(figures.attempts, 4U * 64);
  EXPECT_DOUBLE_EQ(figures.attempts_per_second, 4);
  EXPECT_DOUBLE_EQ(figures.failures_per_second, 1);
  EXPECT_NEAR(base::seconds(figures.p95.value()), 0.010, 0.002);
}

TEST(BackendHistory, TellsWhatCameSinceTheLastSecond) {
  Life life;
  life.second(5, 2);
  const auto came = life.second(3, 1);
  EXPECT_EQ(came.completed, 3U);
  EXPECT_EQ(came.failed, 1U);
  life.tally = {};
  EXPECT_EQ(life.second(2).completed, 2U) << "a reload has made the backend anew";
  EXPECT_EQ(life.history.figures().attempts, 0U);
}

BackendStatus backend(const std::string& name, State state = State::up, int weight = 1) {
  static std::uint64_t last_id = 0;
  BackendStatus status;
  status.id = ++last_id;
  status.name = name;
  status.state = state;
  status.weight = weight;
  status.running = 2;
  status.connections = 3;
  status.tally.outcomes.completed = 5;
  return status;
}

// 1 for each backend that has figures, 0 for each that has none.
std::string known(const BackendHistories& histories, const dispatch::EndpointStatus& endpoint) {
  std::string text;
  for (const auto& figures : histories.of(endpoint)) text += figures ? '1' : '0';
  return text;
}

TEST(BackendHistories, TellTheMetrics) {
  dispatch::PoolStatus pool;
  pool.endpoint.backends = {backend("a"), backend("b", State::failing), backend("c", State::up, 0)};
  pool.function_endpoints = {{"uri", {}, {"f"}}};
  pool.function_endpoints[0].endpoint.backends = {backend("a", State::down), backend("d", State::untried)};
  BackendHistories histories;
  const auto told = histories.add(dispatch::SteadyTime(1s), pool);
  ASSERT_EQ(told.size(), 4U);
  EXPECT_FALSE(told.at("a").up) << "one of the two is down";
  EXPECT_EQ(told.at("a").jobs, 4);
  EXPECT_EQ(told.at("a").connections, 6U);
  EXPECT_EQ(told.at("a").succeeded, 10U);
  EXPECT_FALSE(told.at("b").up);
  EXPECT_FALSE(told.at("c").up) << "it is given no jobs";
  EXPECT_EQ(told.at("c").weight, 0);
  EXPECT_TRUE(told.at("d").up);
  EXPECT_EQ(histories.add(dispatch::SteadyTime(2s), pool).at("a").succeeded, 0U);
  EXPECT_EQ(known(histories, pool.endpoint), "111");
  EXPECT_EQ(known(histories, pool.function_endpoints[0].endpoint), "11");
}

TEST(BackendHistories, ForgetBackendsThatAreRemoved) {
  dispatch::PoolStatus pool;
  BackendHistories histories;
  pool.endpoint.backends = {backend("a"), backend("b")};
  const auto before = pool.endpoint;
  histories.add(dispatch::SteadyTime(1s), pool);
  pool.endpoint.backends.erase(pool.endpoint.backends.begin());
  EXPECT_EQ(histories.add(dispatch::SteadyTime(2s), pool).size(), 1U);
  EXPECT_EQ(known(histories, before), "01");
}

TEST(BackendHistories, AreKeptForTheFirst64Backends) {
  dispatch::PoolStatus pool;
  for (int i = 0; i < 70; ++i) pool.endpoint.backends.push_back(backend(std::to_string(i)));
  pool.function_endpoints = {{"uri", {}, {"f"}}};
  pool.function_endpoints[0].endpoint.backends = {backend("x")};
  BackendHistories histories;
  EXPECT_EQ(histories.add(dispatch::SteadyTime(1s), pool).size(), 64U);
  EXPECT_EQ(known(histories, pool.endpoint), std::string(64, '1') + std::string(6, '0'));
  EXPECT_EQ(known(histories, pool.function_endpoints[0].endpoint), "0");
}

TEST(BackendHistories, KeepBackendsOfTheSameNameApart) {
  dispatch::PoolStatus pool;
  pool.endpoint.backends = {backend("a"), backend("a")};
  BackendHistories histories;
  EXPECT_EQ(histories.add(dispatch::SteadyTime(1s), pool).at("a").succeeded, 10U);
  pool.endpoint.backends[1].tally.outcomes.completed += 4;
  EXPECT_EQ(histories.add(dispatch::SteadyTime(2s), pool).at("a").succeeded, 4U);
  const auto figures = histories.of(pool.endpoint);
  EXPECT_EQ(figures[0]->attempts, 0U);
  EXPECT_EQ(figures[1]->attempts, 4U);
}

TEST(BackendHistories, ABackendThatDrainsSaysNothingAboutItsSuccessor) {
  dispatch::PoolStatus pool;
  pool.endpoint.backends = {backend("a")};
  BackendHistories histories;
  histories.add(dispatch::SteadyTime(1s), pool);
  auto& drains = pool.endpoint.backends[0];
  drains.state = State::draining;
  drains.weight = 0;
  drains.tally.outcomes.failed = 1;
  pool.endpoint.backends.insert(pool.endpoint.backends.begin(), backend("a"));
  const auto told = histories.add(dispatch::SteadyTime(2s), pool).at("a");
  EXPECT_TRUE(told.up);
  EXPECT_EQ(told.weight, 1);
  EXPECT_EQ(told.jobs, 4);
  EXPECT_EQ(told.succeeded, 5U) << "what the one that drains had is counted already";
  EXPECT_EQ(told.failed, 1U);
  pool.endpoint.backends[0].state = State::down;
  EXPECT_FALSE(histories.add(dispatch::SteadyTime(3s), pool).at("a").up);
  pool.endpoint.backends.erase(pool.endpoint.backends.begin());
  const auto left = histories.add(dispatch::SteadyTime(4s), pool).at("a");
  EXPECT_FALSE(left.up);
  EXPECT_EQ(left.weight, 0);
  EXPECT_EQ(left.jobs, 2);
}

}  // namespace
}  // namespace driveshaft::monitor
