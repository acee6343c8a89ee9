// SPDX-License-Identifier: MIT
#include "monitor/endpoints.h"

#include <gtest/gtest.h>

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using State = dispatch::EndpointStatus::State;

dispatch::EndpointStatus endpoint(State state) {
  dispatch::EndpointStatus status;
  status.state = state;
  status.since = SteadyTime(100s);
  status.why = "cannot connect: Connection refused";
  return status;
}

Snapshot snapshot_of(State own, std::vector<dispatch::PoolStatus::FunctionEndpoint> others = {}) {
  dispatch::PoolStatus pool;
  pool.settings.name = "Regular";
  pool.settings.endpoint = *net::parse_uri("http://a/");
  pool.settings.jobs_list = {"f", "g", "h"};
  pool.endpoint = endpoint(own);
  pool.function_endpoints = std::move(others);
  Snapshot snapshot;
  snapshot.pools = {pool};
  return snapshot;
}

std::string text_of(const Snapshot& snapshot) { return outages_text(snapshot, SteadyTime(107s)); }

TEST(Outages, AreOfPoolsThatTakeNoJobs) {
  EXPECT_EQ(text_of(snapshot_of(State::up)), "");
  EXPECT_EQ(text_of(snapshot_of(State::untried)), "");
  const std::string line =
      "\npool Regular has taken no jobs for 7 s: endpoint http://a/: cannot connect: Connection refused";
  EXPECT_EQ(text_of(snapshot_of(State::down)), line);
  EXPECT_EQ(text_of(snapshot_of(State::paused)), line);
}

TEST(Outages, AnEndpointThatFailsJobsStillTakesThem) {
  Snapshot snapshot = snapshot_of(State::down);
  snapshot.pools[0].settings.settings.endpoint_down = config::EndpointDown::fail;
  EXPECT_EQ(text_of(snapshot), "");
}

TEST(Outages, OneBackendThatWorksIsEnough) {
  dispatch::BackendStatus away;
  away.state = dispatch::BackendStatus::State::down;
  Snapshot snapshot = snapshot_of(State::up);
  snapshot.pools[0].endpoint.backends = {away, {}};
  EXPECT_EQ(text_of(snapshot), "");
}

TEST(Outages, BackendsThatHaveNoWeightTakeNoJobs) {
  dispatch::BackendStatus weightless;
  weightless.weight = 0;
  Snapshot snapshot = snapshot_of(State::untried);
  snapshot.pools[0].endpoint.backends = {weightless, weightless};
  EXPECT_EQ(text_of(snapshot),
            "\npool Regular takes no jobs: each backend of endpoint http://a/ has the weight 0");
}

TEST(Outages, NameTheFunctionsWhereAPoolHasSeveralEndpoints) {
  const std::string why = "cannot connect: Connection refused";
  EXPECT_EQ(text_of(snapshot_of(State::up, {{"http://b/", endpoint(State::down), {"g", "h"}}})),
            "\npool Regular has taken no jobs of g, h for 7 s: endpoint http://b/: " + why);
  EXPECT_EQ(text_of(snapshot_of(State::down, {{"http://b/", endpoint(State::up), {"g", "h"}}})),
            "\npool Regular has taken no jobs of f for 7 s: endpoint http://a/: " + why);
}

}  // namespace
}  // namespace driveshaft::monitor
