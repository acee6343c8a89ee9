// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <vector>

#include "dispatch/admission.h"

namespace driveshaft::dispatch {
namespace {

using testing::ElementsAre;
using Admitted = Admission::Admitted;
using State = Admission::Ticket::State;

// A pool whose endpoint has backends with these weights.
struct World {
  explicit World(const std::vector<int>& weights, int slots = 100)
      : admission(slots, 0, Admission::Clock::time_point()) {
    admission.add(endpoint);
    admission.add(lane);
    admission.set_function(function, endpoint, &lane, kNoLimit);
    admission.set_lane(lane, &endpoint, kNoLimit);
    admission.add(link, lane);
    for (const int weight : weights) add_backend(weight);
  }
  ~World() {
    for (auto& ticket : tickets) {
      if (ticket->state() != State::idle) admission.end(*ticket);
    }
  }

  Admission::BackendCounters& add_backend(int weight = 1) {
    backends.emplace_back();
    admission.add(backends.back(), endpoint);
    admission.set_weight(backends.back(), weight);
    return backends.back();
  }

  Admission::Ticket& job() {
    link.wants(1, false);
    std::vector<Admission::Grant> grants;
    admission.share_out({}, grants);
    EXPECT_EQ(grants.size(), 1u);
    tickets.push_back(std::make_unique<Admission::Ticket>());
    admission.job_assigned(link, *tickets.back(), function);
    return *tickets.back();
  }
  // Index of the backend that gets the job; -1 if the job is held.
  int admit(Admission::Ticket& ticket) {
    if (admission.admit(ticket) != Admitted::posted) return -1;
    admission.check();
    return place_of(ticket);
  }
  int place_of(const Admission::Ticket& ticket) const {
    for (std::size_t i = 0; i < backends.size(); ++i) {
      if (&ticket.backend() == &backends[i]) return static_cast<int>(i);
    }
    return -1;
  }
  int post() { return admit(job()); }
  std::vector<int> posted() const {
    std::vector<int> counts;
    for (const auto& backend : backends) counts.push_back(backend.posted());
    return counts;
  }

  Admission admission;
  Admission::EndpointCounters endpoint;
  std::deque<Admission::BackendCounters> backends;
  Admission::FunctionCounters function;
  Admission::LaneCounters lane;
  Admission::LinkCounters link;
  std::vector<std::unique_ptr<Admission::Ticket>> tickets;
};

TEST(AdmissionBackends, TheLeastBusyBackendGetsTheJob) {
  World world({1, 1, 1});
  for (int i = 0; i < 6; ++i) world.post();
  EXPECT_THAT(world.posted(), ElementsAre(2, 2, 2));
  for (auto& ticket : world.tickets) {
    if (world.place_of(*ticket) == 1) world.admission.end(*ticket);
    if (ticket->state() == State::idle) break;
  }
  EXPECT_THAT(world.posted(), ElementsAre(2, 1, 2));
  EXPECT_EQ(world.post(), 1);
}

TEST(AdmissionBackends, EqualBackendsGetJobsInTurn) {
  World world({1, 1, 1});
  std::vector<int> places;
  for (int i = 0; i < 6; ++i) {
    places.push_back(world.post());
    world.admission.end(*world.tickets.back());
  }
  EXPECT_THAT(places, ElementsAre(0, 1, 2, 0, 1, 2));
}

TEST(AdmissionBackends, WeightsSayHowManyJobsEachRuns) {
  World world({1, 3});
  for (int i = 0; i < 40; ++i) world.post();
  EXPECT_THAT(world.posted(), ElementsAre(10, 30));
}

TEST(AdmissionBackends, WeightsSayWhoseTurnItIsWhenNoneIsBusy) {
  World world({1, 3});
  std::vector<int> counts(2);
  for (int i = 0; i < 40; ++i) {
    ++counts[static_cast<std::size_t>(world.post())];
    world.admission.end(*world.tickets.back());
  }
  EXPECT_THAT(counts, ElementsAre(10, 30));
}

// The backend with the least weight has no job most of the time, but must not get each job that comes then.
TEST(AdmissionBackends, WeightsHoldWhereFewJobsRun) {
  for (const auto& [weights, slots] : {std::pair(std::vector{1, 3}, 2), std::pair(std::vector{1, 99}, 8)}) {
    World world(weights);
    std::vector<int> counts(2);
    for (int i = 0; i < 1000; ++i) {
      if (i >= slots) world.admission.end(*world.tickets[static_cast<std::size_t>(i - slots)]);
      ++counts[static_cast<std::size_t>(world.post())];
    }
    EXPECT_NEAR(counts[0], 1000 * weights[0] / (weights[0] + weights[1]), 2);
  }
}

TEST(AdmissionBackends, ASlowBackendGetsFewerJobs) {
  World world({1, 1});
  std::vector<int> counts(2);
  for (int i = 0; i < 4; ++i) world.post();  // the jobs at the first backend do not end
  for (int i = 0; i < 100; ++i) {
    for (auto& ticket : world.tickets) {
      if (ticket->state() == State::posted && world.place_of(*ticket) == 1) {
        world.admission.end(*ticket);
        break;
      }
    }
    ++counts[static_cast<std::size_t>(world.post())];
  }
  EXPECT_THAT(counts, ElementsAre(0, 100));
}

TEST(AdmissionBackends, ABackendThatComesBackGetsNoExtraJobs) {
  World world({1, 1});
  world.admission.set_limit(world.backends[0], 0);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(world.post(), 1);
    world.admission.end(*world.tickets.back());
  }
  world.admission.set_limit(world.backends[0], kNoLimit);
  std::vector<int> counts(2);
  for (int i = 0; i < 10; ++i) {
    ++counts[static_cast<std::size_t>(world.post())];
    world.admission.end(*world.tickets.back());
  }
  EXPECT_THAT(counts, ElementsAre(testing::AllOf(testing::Ge(5), testing::Le(6)), testing::_));
}

TEST(AdmissionBackends, ANewBackendGetsItsShareAtOnceAndNoMore) {
  World world({1});
  for (int i = 0; i < 10; ++i) {
    world.post();
    world.admission.end(*world.tickets.back());
  }
  world.add_backend();
  std::vector<int> counts(2);
  for (int i = 0; i < 10; ++i) {
    ++counts[static_cast<std::size_t>(world.post())];
    world.admission.end(*world.tickets.back());
  }
  EXPECT_THAT(counts, ElementsAre(5, 5));
}

TEST(AdmissionBackends, AJobThatIsSentAgainGoesToAnotherBackend) {
  World world({1, 1});
  auto& ticket = world.job();
  EXPECT_EQ(world.admit(ticket), 0);
  for (int i = 0; i < 3; ++i) EXPECT_GE(world.post(), 0);  // the other backend is busier
  world.admission.set_limit(world.backends[1], 3);
  world.admission.release(ticket);
  EXPECT_EQ(world.admit(ticket), 1);
  world.admission.release(ticket);
  EXPECT_EQ(world.admit(ticket), 0);
}

TEST(AdmissionBackends, AJobThatIsSentAgainGoesToTheSameBackendRatherThanWait) {
  World world({1, 1});
  auto& ticket = world.job();
  EXPECT_EQ(world.admit(ticket), 0);
  world.admission.set_limit(world.backends[1], 0);
  world.admission.release(ticket);
  EXPECT_EQ(world.admit(ticket), 0);
}

TEST(AdmissionBackends, LimitsOfBackendsAddUp) {
  World world({1, 1});
  world.admission.set_limit(world.backends[0], 1);
  world.admission.set_limit(world.backends[1], 2);
  for (int i = 0; i < 3; ++i) EXPECT_GE(world.post(), 0);
  EXPECT_THAT(world.posted(), ElementsAre(1, 2));
  world.link.wants(5, false);
  std::vector<Admission::Grant> grants;
  world.admission.share_out({}, grants);
  EXPECT_TRUE(grants.empty()) << "no job is taken for which no backend has room";
  world.link.wants(0, false);
}

TEST(AdmissionBackends, ALimitBelowTheRunningJobsTakesNothingFromOtherBackends) {
  World world({1, 1});
  for (int i = 0; i < 8; ++i) world.post();
  world.admission.set_limit(world.backends[0], 0);
  world.admission.set_limit(world.backends[1], 6);
  EXPECT_EQ(world.post(), 1);
  EXPECT_EQ(world.post(), 1);
  EXPECT_THAT(world.posted(), ElementsAre(4, 6));
}

TEST(AdmissionBackends, JobsAreHeldUntilABackendTakesJobs) {
  World world({1, 1});
  auto& ticket = world.job();
  auto& other = world.job();
  for (auto& backend : world.backends) world.admission.set_limit(backend, 0);
  EXPECT_EQ(world.admit(ticket), -1);
  EXPECT_EQ(world.admit(other), -1);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  world.admission.set_limit(world.backends[1], 1);
  EXPECT_EQ(world.admission.next_to_post(), &ticket);
  EXPECT_EQ(world.place_of(ticket), 1);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
}

TEST(AdmissionBackends, APermitForANewJobIsNotForAJobThatWasSent) {
  World world({1, 1});
  auto& sent = world.job();
  EXPECT_EQ(world.admit(sent), 0);
  world.admission.set_limit(world.backends[0], 0);
  world.admission.set_limit(world.backends[1], 1, /*wants_new_job=*/true);
  world.admission.release(sent);
  EXPECT_EQ(world.admit(sent), -1);
  EXPECT_EQ(world.post(), 1) << "a new one goes before those that are held";
}

}  // namespace
}  // namespace driveshaft::dispatch
