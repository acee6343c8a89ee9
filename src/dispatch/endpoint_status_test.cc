// SPDX-License-Identifier: MIT
#include "dispatch/endpoint_status.h"

#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using Backend = BackendStatus::State;
using Endpoint = EndpointStatus::State;

BackendStatus backend(Backend state, std::chrono::seconds since = 0s) {
  BackendStatus status;
  status.state = state;
  status.since = SteadyTime(since);
  if (state != Backend::up && state != Backend::untried) status.why = "refused";
  status.limit = 4;
  status.connections = 3;
  status.idle_connections = 1;
  return status;
}

TEST(EndpointStatus, TheEndpointHasTheStateOfItsOnlyBackend) {
  const auto status = endpoint_status({backend(Backend::down, 7s)}, 5, 10);
  EXPECT_EQ(status.state, Endpoint::down);
  EXPECT_EQ(status.since, SteadyTime(7s));
  EXPECT_EQ(status.why, "refused");
  EXPECT_EQ(status.held, 5);
  EXPECT_EQ(status.limit, 4);
}

TEST(EndpointStatus, OneWorkingBackendIsEnough) {
  const auto status =
      endpoint_status({backend(Backend::down), backend(Backend::up), backend(Backend::paused)}, 0, 10);
  EXPECT_EQ(status.state, Endpoint::up);
  EXPECT_EQ(status.why, "");
  EXPECT_EQ(status.limit, 10) << "the pool has no more slots";
  EXPECT_EQ(status.connections, 9u);
  EXPECT_EQ(status.idle_connections, 3u);
  EXPECT_EQ(status.backends.size(), 3u);
}

TEST(EndpointStatus, ItIsDownSinceTheLastBackendWentAway) {
  const auto status = endpoint_status({backend(Backend::down, 9s), backend(Backend::down, 3s)}, 0, 10);
  EXPECT_EQ(status.state, Endpoint::down);
  EXPECT_EQ(status.since, SteadyTime(9s));
}

TEST(EndpointStatus, ItIsTriedWhenTheFirstOfItsBackendsIs) {
  auto later = backend(Backend::down);
  later.next_try = SteadyTime(9s);
  auto sooner = backend(Backend::paused);
  sooner.next_try = SteadyTime(5s);
  EXPECT_EQ(endpoint_status({later, sooner, backend(Backend::down)}, 0, 10).next_try, SteadyTime(5s));
  EXPECT_EQ(endpoint_status({backend(Backend::down)}, 0, 10).next_try, std::nullopt);
  EXPECT_EQ(endpoint_status({later, backend(Backend::up)}, 0, 10).next_try, std::nullopt);
}

TEST(EndpointStatus, AFailingBackendStillAnswers) {
  EXPECT_EQ(endpoint_status({backend(Backend::failing), backend(Backend::down)}, 0, 10).state, Endpoint::up);
  EXPECT_EQ(endpoint_status({backend(Backend::paused), backend(Backend::down)}, 0, 10).state,
            Endpoint::paused);
}

TEST(EndpointStatus, ItIsFullWhenAllBackendsAre) {
  auto full = backend(Backend::up);
  full.full = true;
  EXPECT_TRUE(endpoint_status({full, full}, 0, 10).full);
  EXPECT_FALSE(endpoint_status({full, backend(Backend::up)}, 0, 10).full);
}

TEST(EndpointStatus, ABackendWithoutWeightDoesNotCountBesideOthers) {
  auto drained = backend(Backend::up);
  drained.weight = 0;
  const auto status = endpoint_status({drained, backend(Backend::down)}, 0, 10);
  EXPECT_EQ(status.state, Endpoint::down);
  EXPECT_FALSE(has_no_weight(status));
  EXPECT_TRUE(has_no_weight(endpoint_status({drained}, 0, 10)));
}

TEST(EndpointStatus, ADrainingBackendDoesNotCount) {
  auto draining = backend(Backend::draining);
  draining.weight = 0;
  draining.limit = 0;
  auto status = endpoint_status({backend(Backend::down), draining}, 0, 10);
  EXPECT_EQ(status.state, Endpoint::down);
  EXPECT_EQ(status.limit, 4);
  EXPECT_EQ(status.connections, 6u);
  auto weightless = backend(Backend::up);
  weightless.weight = 0;
  status = endpoint_status({weightless, draining}, 0, 10);
  EXPECT_EQ(status.state, Endpoint::up) << "it is alone";
  EXPECT_TRUE(has_no_weight(status));
}

}  // namespace
}  // namespace driveshaft::dispatch
