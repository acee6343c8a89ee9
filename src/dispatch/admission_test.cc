// SPDX-License-Identifier: MIT
#include "dispatch/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using Admitted = Admission::Admitted;
using Clock = Admission::Clock;
using State = Admission::Ticket::State;

const Clock::time_point kStart = Clock::time_point(1000s);

// A pool with one endpoint of one backend, one lane, one function and one link, unless a test adds more.
struct World {
  explicit World(int slots = 4, double rate = 0) : admission(slots, rate, kStart) {
    admission.add(endpoint);
    admission.add(backend, endpoint);
    admission.add(lane);
    admission.set_function(function, endpoint, &lane, kNoLimit);
    admission.set_lane(lane, &endpoint, kNoLimit);
    admission.add(link, lane);
  }
  ~World() {
    for (auto& ticket : tickets) {
      if (ticket->state() != State::idle) admission.end(*ticket);
    }
  }

  // The grabs that the links are granted, if each wants so many.
  std::vector<int> grabs(const std::vector<std::pair<Admission::LinkCounters*, int>>& wants,
                         Clock::time_point now = kStart) {
    for (const auto& [one, count] : wants) one->wants(count, false);
    std::vector<Admission::Grant> grants;
    wake_at = admission.share_out(now, grants);
    admission.check();
    std::vector<int> counts;
    for (const auto& [one, _] : wants) {
      int count = 0;
      for (const auto& grant : grants) count += grant.link == one ? grant.grabs : 0;
      counts.push_back(count);
      one->wants(0, false);
    }
    return counts;
  }
  int grab(int wanted, Clock::time_point now = kStart) { return grabs({{&link, wanted}}, now).front(); }

  // A job comes over a link that has grabbed.
  Admission::Ticket& assign(Admission::LinkCounters& by, Admission::FunctionCounters& of) {
    tickets.push_back(std::make_unique<Admission::Ticket>());
    admission.job_assigned(by, *tickets.back(), of);
    admission.check();
    return *tickets.back();
  }
  Admission::Ticket& job() {
    EXPECT_EQ(grab(1), 1);
    return assign(link, function);
  }
  Admission::Ticket& posted_job() {
    auto& ticket = job();
    EXPECT_EQ(admission.admit(ticket), Admitted::posted);
    return ticket;
  }

  Admission admission;
  Admission::EndpointCounters endpoint;
  Admission::BackendCounters backend;
  Admission::FunctionCounters function;
  Admission::LaneCounters lane;
  Admission::LinkCounters link;
  std::optional<Clock::time_point> wake_at;
  std::vector<std::unique_ptr<Admission::Ticket>> tickets;
};

// Another function with a lane, a link and an endpoint of its own.
struct Other {
  Other(World& world, int limit, Admission::EndpointCounters* shared = nullptr) : admission(world.admission) {
    if (!shared) admission.add(own);
    if (!shared) admission.add(backend, own);
    Admission::EndpointCounters& endpoint = shared ? *shared : own;
    admission.add(lane);
    admission.set_function(function, endpoint, &lane, limit);
    admission.set_lane(lane, &endpoint, limit);
    admission.add(link, lane);
  }

  Admission& admission;
  Admission::EndpointCounters own;
  Admission::BackendCounters backend;
  Admission::FunctionCounters function;
  Admission::LaneCounters lane;
  Admission::LinkCounters link;
};

TEST(Admission, EachGrabReservesASlot) {
  World world(4);
  EXPECT_EQ(world.grab(3), 3);
  EXPECT_EQ(world.grab(3), 1);
  EXPECT_EQ(world.grab(3), 0);
}

TEST(Admission, ASlotIsFreeAgainWithTheAnswerThatThereIsNoJob) {
  World world(1);
  EXPECT_EQ(world.grab(1), 1);
  world.admission.no_job(world.link);
  EXPECT_EQ(world.grab(1), 1);
}

TEST(Admission, ASlotIsTheJobsUntilItsEnd) {
  World world(1);
  auto& job = world.posted_job();
  EXPECT_EQ(world.admission.running(), 1);
  EXPECT_EQ(world.grab(1), 0);
  world.admission.release(job);
  EXPECT_EQ(world.grab(1), 0) << "it waits for its next attempt";
  world.admission.end(job);
  EXPECT_EQ(world.grab(1), 1);
}

TEST(Admission, AJobThatEndsLeavesItsFunction) {
  World world(2);
  auto& job = world.job();
  EXPECT_EQ(job.state(), State::taken);
  EXPECT_EQ(world.function.running(), 1);
  world.admission.end(job);
  EXPECT_EQ(job.state(), State::idle);
  EXPECT_EQ(world.function.running(), 0);
}

TEST(Admission, ATicketThatIsUsedAgainIsThatOfANewJob) {
  World world(2);
  auto& ticket = world.posted_job();
  world.admission.end(ticket);
  world.admission.set_limit(world.backend, 1, /*wants_new_job=*/true);
  EXPECT_EQ(world.grab(1), 1);
  world.admission.job_assigned(world.link, ticket, world.function);
  EXPECT_EQ(world.admission.admit(ticket), Admitted::posted);
}

TEST(Admission, ALostConnectionIsGrantedNothingInTheSameTurn) {
  World world(2);
  world.link.wants(2, true);
  world.admission.connection_lost(world.link);
  std::vector<Admission::Grant> grants;
  world.admission.wake_draining_links(grants);
  world.admission.share_out(kStart, grants);
  EXPECT_TRUE(grants.empty());
}

TEST(Admission, ALinkThatIsRemovedIsGrantedNothing) {
  World world(6);
  Admission::LinkCounters other;
  world.admission.add(other, world.lane);
  EXPECT_THAT(world.grabs({{&world.link, 1}, {&other, 1}}), ElementsAre(1, 1));
  world.admission.remove(other);
  other.wants(2, true);
  EXPECT_EQ(world.grab(2), 2);
  EXPECT_EQ(other.outstanding(), 0);
}

TEST(Admission, ALostConnectionFreesTheSlotsOfItsGrabs) {
  World world(2);
  EXPECT_EQ(world.grab(2), 2);
  world.admission.connection_lost(world.link);
  EXPECT_EQ(world.grab(2), 2);
}

TEST(Admission, FewerSlotsEndNoJob) {
  World world(2);
  auto& job = world.posted_job();
  world.posted_job();
  world.admission.set_slots(1);
  EXPECT_EQ(world.grab(1), 0);
  world.admission.end(job);
  EXPECT_EQ(world.grab(1), 0);
  EXPECT_EQ(world.admission.running(), 1);
}

TEST(Admission, SlotsOfALateServerGoToOthers) {
  World world(2);
  Admission::LinkCounters other;
  world.admission.add(other, world.lane);
  EXPECT_EQ(world.grab(2), 2);
  EXPECT_THAT(world.grabs({{&other, 2}}), ElementsAre(0));
  world.admission.grabs_are_late(world.link);
  EXPECT_THAT(world.grabs({{&other, 2}}), ElementsAre(2));
}

TEST(Admission, JobsOfALateServerWaitForAPermit) {
  World world(1);
  Admission::LinkCounters other;
  world.admission.add(other, world.lane);
  EXPECT_EQ(world.grab(1), 1);
  world.admission.grabs_are_late(world.link);
  EXPECT_THAT(world.grabs({{&other, 1}}), ElementsAre(1));
  auto& first = world.assign(other, world.function);
  EXPECT_EQ(world.admission.admit(first), Admitted::posted);
  auto& late = world.assign(world.link, world.function);
  EXPECT_EQ(world.admission.running(), 2);
  EXPECT_EQ(world.admission.admit(late), Admitted::held) << "one slot bounds the jobs at the endpoint";
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  world.admission.end(first);
  EXPECT_EQ(world.admission.next_to_post(), &late);
}

TEST(Admission, AnAnswerOfALateServerReservesItsOtherGrabsAgain) {
  World world(2);
  EXPECT_EQ(world.grab(2), 2);
  world.admission.grabs_are_late(world.link);
  world.admission.no_job(world.link);
  world.admission.check();
  EXPECT_EQ(world.grab(2), 1);
}

TEST(Admission, HeldJobsGoInTheirOrderAsPermitsAllow) {
  World world(3);
  auto& first = world.job();
  auto& second = world.job();
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.admission.admit(first), Admitted::held);
  EXPECT_EQ(world.admission.admit(second), Admitted::held);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  world.admission.set_limit(world.backend, 1);
  EXPECT_EQ(world.admission.next_to_post(), &first);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  world.admission.release(first);
  EXPECT_EQ(world.admission.next_to_post(), &second);
}

TEST(Admission, AJobDoesNotOvertakeAHeldOne) {
  World world(2);
  auto& first = world.job();
  auto& second = world.job();
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.admission.admit(first), Admitted::held);
  world.admission.set_limit(world.backend, 1);
  EXPECT_EQ(world.admission.admit(second), Admitted::held);
  EXPECT_EQ(world.admission.next_to_post(), &first);
}

TEST(Admission, AnEndpointThatTakesNoJobsKeepsThePoolFromGrabbing) {
  World world(4);
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.grab(4), 0);
  world.admission.set_limit(world.backend, 1);
  EXPECT_EQ(world.grab(4), 1);
  EXPECT_EQ(world.grab(4), 0);
}

TEST(Admission, PermitsOfAnEndpointCountWhatIsHeldAndOnItsWay) {
  World world(8);
  auto& held = world.job();
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.admission.admit(held), Admitted::held);
  world.admission.set_limit(world.backend, 3);
  EXPECT_EQ(world.grab(1), 1);
  EXPECT_EQ(world.grab(8), 1);
}

TEST(Admission, AJobThatWasNotSentGoesBeforeJobsThatWereSent) {
  World world(4);
  auto& sent = world.posted_job();
  world.admission.set_limit(world.backend, 0);
  world.admission.release(sent);
  EXPECT_EQ(world.admission.admit(sent), Admitted::held);
  world.admission.set_limit(world.backend, 4);
  auto& first = world.job();
  auto& second = world.job();
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.admission.admit(first), Admitted::held);
  EXPECT_EQ(world.admission.admit(second), Admitted::held);
  world.admission.set_limit(world.backend, 4);
  EXPECT_EQ(world.admission.next_to_post(), &first);
  EXPECT_EQ(world.admission.next_to_post(), &second);
  EXPECT_EQ(world.admission.next_to_post(), &sent);
}

TEST(Admission, APermitForANewJobIsNotForAHeldOneAndUsesItsSlot) {
  World world(1);
  auto& sent = world.posted_job();
  world.admission.set_limit(world.backend, 1, /*wants_new_job=*/true);
  world.admission.release(sent);
  EXPECT_EQ(world.admission.admit(sent), Admitted::held);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  EXPECT_EQ(world.grab(5), 1) << "the pool has one slot, which the held job does not use";
  auto& fresh = world.assign(world.link, world.function);
  EXPECT_EQ(world.admission.admit(fresh), Admitted::posted);
  world.admission.release(fresh);
  EXPECT_EQ(world.admission.admit(fresh), Admitted::held);
  EXPECT_FALSE(world.admission.set_limit(world.backend, 1, true));
  EXPECT_TRUE(world.admission.set_limit(world.backend, 1));
  EXPECT_EQ(world.admission.next_to_post(), &sent) << "the longest held";
}

TEST(Admission, AtMostFourNewJobsAreHeldBeyondTheSlots) {
  World world(2);
  world.admission.set_limit(world.backend, 1, /*wants_new_job=*/true);
  int jobs = 0;
  while (world.grab(5) > 0) {
    ASSERT_LT(jobs, 100);
    ++jobs;
    auto& job = world.assign(world.link, world.function);
    ASSERT_EQ(world.admission.admit(job), Admitted::posted);
    world.admission.release(job);
    ASSERT_EQ(world.admission.admit(job), Admitted::held);
    EXPECT_EQ(world.admission.running() - world.admission.held_without_slots(), std::min(jobs, 2))
        << "people are not told of more busy slots than there are";
  }
  EXPECT_EQ(jobs, 2 + 4);
}

TEST(Admission, TheWindowOfALaneBoundsItsJobsAtTheEndpoint) {
  World world(4);
  Other other(world, kNoLimit, &world.endpoint);
  auto& job = world.posted_job();
  EXPECT_TRUE(world.admission.set_lane_window(world.lane, 0));
  EXPECT_FALSE(world.admission.set_lane_window(world.lane, 0));
  EXPECT_EQ(world.grabs({{&world.link, 2}, {&other.link, 1}}), (std::vector{0, 1}));
  world.admission.release(job);
  EXPECT_EQ(world.admission.admit(job), Admitted::held);
  EXPECT_EQ(world.admission.admit(world.assign(other.link, other.function)), Admitted::held)
      << "it does not overtake";
  EXPECT_NE(world.admission.next_to_post(), nullptr) << "the other lane's";
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  world.admission.set_lane_window(world.lane, 1);
  EXPECT_EQ(world.admission.next_to_post(), &job);
}

TEST(Admission, ADrainRequeuesJobsThatWouldBeHeld) {
  World world(2);
  auto& job = world.job();
  auto& other = world.job();
  world.admission.drain();
  EXPECT_EQ(world.admission.admit(job), Admitted::posted);
  world.admission.set_limit(world.backend, 1);
  EXPECT_EQ(world.admission.admit(other), Admitted::requeue);
}

TEST(Admission, AFunctionsLimitHoldsAtTheEndpoint) {
  World world(4);
  world.admission.set_function(world.function, world.endpoint, &world.lane, 1);
  auto& first = world.posted_job();
  auto& second = world.job();
  EXPECT_EQ(world.admission.admit(second), Admitted::held);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  world.admission.end(first);
  EXPECT_EQ(world.admission.next_to_post(), &second);
}

TEST(Admission, ALaneGrabsNoMoreThanItsLimit) {
  World world(8);
  Other other(world, 2, &world.endpoint);
  EXPECT_THAT(world.grabs({{&other.link, 8}, {&world.link, 0}}), ElementsAre(2, 0));
  EXPECT_THAT(world.grabs({{&other.link, 8}, {&world.link, 0}}), ElementsAre(0, 0));
}

TEST(Admission, ScarceSlotsGoToTheLaneWithTheFewestJobs) {
  World world(4);
  Other other(world, kNoLimit, &world.endpoint);
  EXPECT_THAT(world.grabs({{&world.link, 2}}), ElementsAre(2));
  world.assign(world.link, world.function);
  world.assign(world.link, world.function);
  EXPECT_THAT(world.grabs({{&world.link, 8}, {&other.link, 8}}), ElementsAre(0, 2));
}

TEST(Admission, LanesWithEquallyManyJobsTakeTurns) {
  World world(1);
  Other other(world, kNoLimit, &world.endpoint);
  EXPECT_THAT(world.grabs({{&world.link, 1}, {&other.link, 1}}), ElementsAre(1, 0));
  world.admission.no_job(world.link);
  EXPECT_THAT(world.grabs({{&world.link, 1}, {&other.link, 1}}), ElementsAre(0, 1));
  world.admission.no_job(other.link);
  EXPECT_THAT(world.grabs({{&world.link, 1}, {&other.link, 1}}), ElementsAre(1, 0));
}

TEST(Admission, LinksOfALaneShareItsSlots) {
  World world(5);
  Admission::LinkCounters other;
  world.admission.add(other, world.lane);
  EXPECT_THAT(world.grabs({{&world.link, 32}, {&other, 32}}), ElementsAre(3, 2));
  EXPECT_THAT(world.grabs({{&world.link, 32}, {&other, 32}}), ElementsAre(0, 0));
}

TEST(Admission, FewSlotsGoToAsManyLinks) {
  World world(3);
  Admission::LinkCounters others[3];
  for (auto& other : others) world.admission.add(other, world.lane);
  EXPECT_THAT(world.grabs({{&world.link, 8}, {&others[0], 8}, {&others[1], 8}, {&others[2], 8}}),
              ElementsAre(1, 1, 1, 0));
}

TEST(Admission, AHeldJobWhosePermitIsFreeNeedsItsSlot) {
  World world(4);
  Other other(world, kNoLimit);
  world.posted_job();
  auto& first = world.job();
  auto& second = world.job();
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.admission.admit(first), Admitted::held);
  EXPECT_EQ(world.admission.admit(second), Admitted::held);
  EXPECT_EQ(world.admission.reusable_slots(), 2);
  world.admission.set_limit(world.backend, 2);
  EXPECT_EQ(world.admission.reusable_slots(), 1) << "one of the two goes at the end of this turn";
  world.admission.set_limit(world.backend, 9);
  EXPECT_EQ(world.admission.reusable_slots(), 0);
}

TEST(Admission, OtherJobsMayUseTheSlotsOfJobsHeldForAnotherEndpoint) {
  World world(1);
  Other other(world, kNoLimit);
  auto& held = world.job();
  EXPECT_THAT(world.grabs({{&other.link, 1}}), ElementsAre(0));
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.admission.admit(held), Admitted::held);
  EXPECT_EQ(world.admission.reusable_slots(), 1);
  EXPECT_THAT(world.grabs({{&world.link, 1}, {&other.link, 1}}), ElementsAre(0, 1));
}

TEST(Admission, AHeldJobTakesASlotWhoeverHasTheNextTurn) {
  World world(1);
  auto& held = world.job();
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.admission.admit(held), Admitted::held);
  EXPECT_EQ(world.admission.held_without_slots(), 0);
  world.admission.set_limit(world.backend, 1, /*wants_new_job=*/true);
  EXPECT_EQ(world.admission.reusable_slots(), 1);
  EXPECT_EQ(world.admission.held_without_slots(), 0);
}

TEST(Admission, WithOneEndpointHeldJobsKeepTheirSlots) {
  World world(1);
  auto& held = world.job();
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.admission.admit(held), Admitted::held);
  EXPECT_EQ(world.admission.reusable_slots(), 0);
}

TEST(Admission, TheSlotsBoundTheJobsAtAllEndpointsTogether) {
  World world(1);
  Other other(world, kNoLimit);
  auto& held = world.job();
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.admission.admit(held), Admitted::held);
  EXPECT_THAT(world.grabs({{&other.link, 1}}), ElementsAre(1));
  auto& running = world.assign(other.link, other.function);
  EXPECT_EQ(world.admission.admit(running), Admitted::posted);
  world.admission.set_limit(world.backend, kNoLimit);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  world.admission.end(running);
  EXPECT_EQ(world.admission.next_to_post(), &held);
}

TEST(Admission, HeldJobsFollowTheirFunctionToAnotherEndpoint) {
  World world(2);
  Other other(world, kNoLimit);
  auto& held = world.job();
  world.admission.set_limit(world.backend, 0);
  EXPECT_EQ(world.admission.admit(held), Admitted::held);
  world.admission.set_function(world.function, other.own, &world.lane, kNoLimit);
  EXPECT_EQ(world.endpoint.held(), 0);
  EXPECT_EQ(world.admission.next_to_post(), &held);
  EXPECT_EQ(other.own.posted(), 1);
}

TEST(Admission, RunningJobsFollowTheirFunctionToAnotherLane) {
  World world(4);
  Other other(world, 2, &world.endpoint);
  world.posted_job();
  world.admission.set_function(world.function, world.endpoint, &other.lane, kNoLimit);
  EXPECT_EQ(world.lane.jobs(), 0);
  EXPECT_EQ(world.lane.posted(), 0);
  EXPECT_EQ(other.lane.jobs(), 1);
  EXPECT_EQ(other.lane.posted(), 1);
  EXPECT_THAT(world.grabs({{&other.link, 8}}), ElementsAre(1));
}

TEST(Admission, ALaneWithoutAnEndpointTakesNoMoreJobs) {
  World world(4);
  EXPECT_EQ(world.grab(1), 1);
  world.admission.set_lane(world.lane, nullptr, kNoLimit);
  world.admission.check();
  EXPECT_EQ(world.grab(4), 0);
  world.admission.no_job(world.link);
  world.admission.check();
}

TEST(Admission, ALinkThatDrainsIsWokenByOneGrabWithASlotForItsJob) {
  World world(2);
  world.posted_job();
  world.link.wants(0, true);
  std::vector<Admission::Grant> grants;
  world.admission.wake_draining_links(grants);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_TRUE(grants[0].wake_grab);
  EXPECT_EQ(world.link.outstanding(), 1);
  world.link.wants(0, true);
  grants.clear();
  world.admission.wake_draining_links(grants);
  EXPECT_TRUE(grants.empty()) << "there is no slot left";
}

TEST(Admission, AWakeGrabIsGrantedOnce) {
  World world(4);
  world.posted_job();
  world.link.wants(0, true);
  std::vector<Admission::Grant> grants;
  world.admission.wake_draining_links(grants);
  world.admission.wake_draining_links(grants);
  EXPECT_EQ(grants.size(), 1u);
}

TEST(Admission, AWakeGrabKeepsTheLimitOfItsLane) {
  World world(4);
  Other other(world, 1, &world.endpoint);
  EXPECT_THAT(world.grabs({{&other.link, 1}}), ElementsAre(1));
  world.assign(other.link, other.function);
  other.link.wants(0, true);
  std::vector<Admission::Grant> grants;
  world.admission.wake_draining_links(grants);
  EXPECT_TRUE(grants.empty());
}

TEST(Admission, TheRateAllowsItsBurstAndThenOneJobAfterAnother) {
  World world(100, 2);
  EXPECT_EQ(world.grab(100), 2);
  EXPECT_EQ(world.wake_at, std::nullopt);
  world.assign(world.link, world.function);
  world.assign(world.link, world.function);
  EXPECT_EQ(world.grab(100), 0);
  EXPECT_EQ(world.wake_at, kStart + 500ms);
  EXPECT_EQ(world.grab(100, kStart + 500ms), 1);
}

TEST(Admission, GrabsWithoutAnAnswerCountAgainstTheRate) {
  World world(100, 2);
  EXPECT_EQ(world.grab(1), 1);
  EXPECT_EQ(world.grab(100), 1);
  EXPECT_EQ(world.grab(100), 0);
  EXPECT_EQ(world.wake_at, kStart + 500ms) << "when there is a third token, beside those of the two grabs";
}

TEST(Admission, AChangedRateStartsAnew) {
  World world(100, 2);
  EXPECT_EQ(world.grab(2), 2);
  world.admission.connection_lost(world.link);
  world.admission.set_rate(5, kStart);
  EXPECT_EQ(world.grab(100), 5);
}

// Makes random events. A model keeps its own account of them, and after each event the invariants are
// checked.
class RandomWorld {
 public:
  explicit RandomWorld(unsigned seed) : random_(seed), admission_(slots_, 0, kStart) {
    for (auto& endpoint : endpoints_) {
      admission_.add(endpoint.node);
      for (auto& backend : endpoint.backends) admission_.add(backend.node, endpoint.node);
      admission_.set_weight(endpoint.backends[1].node, 3);
    }
    for (std::size_t i = 0; i < std::size(lanes_); ++i) {
      LaneCounters& lane = lanes_[i];
      admission_.add(lane.node);
      lane.limit = i == 0 ? kNoLimit : 3;
      serve(lane, endpoints_[i % 2]);
      for (auto& link : lane.links) admission_.add(link.node, lane.node);
    }
  }
  ~RandomWorld() {
    for (auto& job : jobs_) admission_.end(job->ticket);
  }

  void step() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        grab();
        break;
      case 3:
      case 4:
        answer(/*with_job=*/below(3) > 0);
        break;
      case 5:
        if (LinkCounters* link = link_with_grabs()) {
          admission_.grabs_are_late(link->node);
          link->late = true;
        }
        break;
      case 6:
        if (LinkCounters* link = link_with_grabs()) lose(*link);
        break;
      case 7:
        if (!jobs_.empty()) end(below(jobs_.size()));
        break;
      case 8:
        if (!jobs_.empty()) end_attempt(*jobs_[below(jobs_.size())]);
        break;
      case 9:
        change_limits();
        break;
      case 10:
        serve(lanes_[below(3)], endpoints_[below(2)]);
        break;
      case 11:
        if (below(10) == 0) replace_a_link();
        break;
    }
    while (auto* ticket = admission_.next_to_post()) {
      Job& job = job_of(*ticket);
      EXPECT_EQ(job.state, State::held);
      post(job);
    }
    check();
  }

  // Ends everything. Nothing may stay reserved.
  void finish() {
    while (LinkCounters* link = link_with_grabs()) {
      if (below(2) == 0) {
        lose(*link);
      } else {
        answer_without_job(*link);
      }
    }
    while (!jobs_.empty()) end(0);
    check();
    for (auto& endpoint : endpoints_) {
      EXPECT_TRUE(endpoint.node.unused());
      for (auto& backend : endpoint.backends) set_limit(backend, kNoLimit, false);
    }
    for (auto& lane : lanes_) {
      EXPECT_EQ(lane.node.jobs(), 0);
      set_window(lane, kNoLimit);
      lane.endpoint = nullptr;
      serve(lane, endpoints_[0]);
    }
    EXPECT_EQ(grab(/*wants=*/100), slots_) << "every slot is free";
  }

 private:
  struct BackendCounters {
    Admission::BackendCounters node;
    int limit = kNoLimit;
    bool wants_new_job = false;
  };
  struct EndpointCounters {
    Admission::EndpointCounters node;
    BackendCounters backends[2];

    bool wants_new_job() const { return backends[0].wants_new_job || backends[1].wants_new_job; }
    int limit() const {
      const bool none = backends[0].limit == kNoLimit || backends[1].limit == kNoLimit;
      return none ? kNoLimit : backends[0].limit + backends[1].limit;
    }
  };
  struct LinkCounters {
    Admission::LinkCounters node;
    int outstanding = 0;
    bool late = false;
  };
  struct LaneCounters {  // a lane with one function
    Admission::LaneCounters node;
    Admission::FunctionCounters function;
    int limit = kNoLimit;
    int window = kNoLimit;
    EndpointCounters* endpoint = nullptr;  // null: the lane takes no more jobs
    std::deque<LinkCounters> links = std::deque<LinkCounters>(2);
  };
  struct Job {
    Admission::Ticket ticket;
    LaneCounters* lane = nullptr;
    EndpointCounters* endpoint = nullptr;
    const BackendCounters* backend = nullptr;  // set while posted
    State state = State::taken;
    bool sent = false;
  };

  std::size_t below(std::size_t end) { return random_() % end; }

  // The number of jobs in the model for which `is` returns true.
  template <class Is>
  int count(Is is) const {
    return static_cast<int>(
        std::count_if(jobs_.begin(), jobs_.end(), [&](const auto& job) { return is(*job); }));
  }
  int posted() const {
    return count([](const Job& job) { return job.state == State::posted; });
  }
  int posted_of(const LaneCounters& lane) const {
    return count([&](const Job& job) { return job.state == State::posted && job.lane == &lane; });
  }
  int jobs_at(const EndpointCounters& endpoint, State state) const {
    return count([&](const Job& job) { return job.state == state && job.endpoint == &endpoint; });
  }
  static int reserved_of(const LaneCounters& lane) {
    int reserved = 0;
    for (const auto& link : lane.links) reserved += link.late ? 0 : link.outstanding;
    return reserved;
  }
  int reserved() const {
    int reserved = 0;
    for (const auto& lane : lanes_) reserved += reserved_of(lane);
    return reserved;
  }
  int jobs_of(const LaneCounters& lane) const {
    return reserved_of(lane) + count([&](const Job& job) { return job.lane == &lane; });
  }
  int posted_at(const BackendCounters& backend) const {
    return count([&](const Job& job) { return job.state == State::posted && job.backend == &backend; });
  }
  bool takes(const BackendCounters& backend, const Job& job) const {
    return posted_at(backend) < backend.limit && !(backend.wants_new_job && job.sent);
  }
  bool may_go(const Job& job) const {
    return posted() < std::max(slots_, 1) &&
           posted_of(*job.lane) < std::min(job.lane->limit, job.lane->window) &&
           (takes(job.endpoint->backends[0], job) || takes(job.endpoint->backends[1], job));
  }
  int room(const LaneCounters& lane) const {
    if (!lane.endpoint) return 0;
    const int in_lane = std::max(std::min(lane.limit, lane.window) - jobs_of(lane), 0);
    const EndpointCounters& endpoint = *lane.endpoint;
    if (endpoint.limit() == kNoLimit) return in_lane;
    int permits = 0;
    for (const auto& backend : endpoint.backends) permits += std::max(backend.limit - posted_at(backend), 0);
    int used = endpoint.wants_new_job() ? 0 : jobs_at(endpoint, State::held);
    for (const auto& other : lanes_) used += other.endpoint == &endpoint ? reserved_of(other) : 0;
    return std::min(in_lane, std::max(permits - used, 0));
  }

  Job& job_of(const Admission::Ticket& ticket) {
    return **std::find_if(jobs_.begin(), jobs_.end(),
                          [&](const auto& job) { return &job->ticket == &ticket; });
  }
  LinkCounters* link_with_grabs() {
    std::vector<LinkCounters*> links;
    for (auto& lane : lanes_) {
      for (auto& link : lane.links) {
        if (link.outstanding > 0) links.push_back(&link);
      }
    }
    return links.empty() ? nullptr : links[below(links.size())];
  }
  LaneCounters& lane_of(const LinkCounters& link) {
    for (auto& lane : lanes_) {
      for (auto& one : lane.links) {
        if (&one == &link) return lane;
      }
    }
    throw std::logic_error("a link without a lane");
  }

  // Returns the number of grabs that are granted, without wake grabs.
  int grab(int wants = 0) {
    for (auto& lane : lanes_) {
      for (auto& link : lane.links) {
        link.node.wants(wants > 0 ? wants : static_cast<int>(below(8)), wants == 0 && below(20) == 0);
      }
    }
    const int without_reuse = slots_ - reserved() - static_cast<int>(jobs_.size());
    std::vector<Admission::Grant> grants;
    admission_.wake_draining_links(grants);
    for (const auto& grant : grants) EXPECT_TRUE(grant.wake_grab);
    const int wake_grabs = take_in(grants);
    EXPECT_LE(wake_grabs, std::max(without_reuse, 0));

    const int free = std::max(without_reuse - wake_grabs + admission_.reusable_slots(), 0);
    std::vector<int> rooms;
    std::vector<int> jobs;
    for (const auto& lane : lanes_) {
      rooms.push_back(room(lane));
      jobs.push_back(jobs_of(lane));
    }
    grants.clear();
    admission_.share_out(kStart, grants);
    for (const auto& grant : grants) {
      EXPECT_FALSE(grant.wake_grab);
      EXPECT_GT(grant.grabs, 0);
    }
    const int granted = take_in(grants);
    EXPECT_LE(granted, free) << "a grant beyond the free slots";
    for (std::size_t i = 0; i < std::size(lanes_); ++i) {
      EXPECT_LE(jobs_of(lanes_[i]) - jobs[i], rooms[i]) << "a limit is not kept";
      if (wants > 0 && granted < free) {
        EXPECT_EQ(room(lanes_[i]), 0) << "a slot is left unused";
      }
    }
    return granted;
  }
  int take_in(const std::vector<Admission::Grant>& grants) {
    int grabs = 0;
    for (const auto& grant : grants) {
      grabs += grant.grabs;
      for (auto& lane : lanes_) {
        for (auto& link : lane.links) {
          if (&link.node != grant.link) continue;
          EXPECT_FALSE(link.late);
          link.outstanding += grant.grabs;
        }
      }
    }
    return grabs;
  }

  void answer(bool with_job) {
    LinkCounters* link = link_with_grabs();
    if (!link) return;
    if (!with_job) return answer_without_job(*link);
    LaneCounters& lane = lane_of(*link);
    jobs_.push_back(std::make_unique<Job>());
    Job& job = *jobs_.back();
    job.lane = &lane;
    admission_.job_assigned(link->node, job.ticket, lane.function);
    link->late = false;
    --link->outstanding;
    admit(job);
  }
  void answer_without_job(LinkCounters& link) {
    admission_.no_job(link.node);
    link.late = false;
    --link.outstanding;
  }
  void lose(LinkCounters& link) {
    admission_.connection_lost(link.node);
    link.outstanding = 0;
    link.late = false;
  }
  void replace_a_link() {
    LaneCounters& lane = lanes_[below(3)];
    admission_.remove(lane.links.front().node);
    lane.links.pop_front();
    admission_.add(lane.links.emplace_back().node, lane.node);
  }

  void admit(Job& job) {
    job.endpoint = job.lane->function.endpoint() == &endpoints_[0].node ? &endpoints_[0] : &endpoints_[1];
    const auto admitted = admission_.admit(job.ticket);
    ASSERT_NE(admitted, Admitted::requeue);
    if (admitted == Admitted::posted) return post(job);
    job.state = State::held;
  }
  // Notes in the model that the job is at the backend that Admission has chosen.
  void post(Job& job) {
    EXPECT_TRUE(may_go(job)) << "a limit is not kept";
    for (const auto& backend : job.endpoint->backends) {
      if (&job.ticket.backend() == &backend.node) job.backend = &backend;
    }
    EXPECT_TRUE(takes(*job.backend, job)) << "a limit of a backend is not kept";
    job.state = State::posted;
    job.sent = true;
  }
  void end_attempt(Job& job) {
    admission_.release(job.ticket);
    EXPECT_EQ(job.ticket.state(), State::taken);
    job.state = State::taken;
    admit(job);
  }
  void end(std::size_t at) {
    admission_.end(jobs_[at]->ticket);
    EXPECT_EQ(jobs_[at]->ticket.state(), State::idle);
    jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  // Gives the function of the lane that endpoint. Now and then the lane takes no more jobs.
  void serve(LaneCounters& lane, EndpointCounters& endpoint) {
    lane.endpoint = lane.endpoint && below(8) == 0 ? nullptr : &endpoint;
    admission_.set_function(lane.function, endpoint.node, &lane.node, lane.limit);
    admission_.set_lane(lane.node, lane.endpoint ? &lane.endpoint->node : nullptr, lane.limit);
    for (auto& job : jobs_) {
      if (job->lane == &lane && job->state == State::held) job->endpoint = &endpoint;
    }
  }
  void set_limit(BackendCounters& backend, int limit, bool wants_new_job) {
    backend.limit = limit;
    backend.wants_new_job = wants_new_job;
    admission_.set_limit(backend.node, limit, wants_new_job);
  }
  void set_window(LaneCounters& lane, int window) {
    lane.window = window;
    admission_.set_lane_window(lane.node, window);
  }
  void change_limits() {
    BackendCounters& backend = endpoints_[below(2)].backends[below(2)];
    switch (below(6)) {
      case 0:
        return set_limit(backend, 0, false);
      case 1:
        return set_limit(backend, static_cast<int>(below(6)) + 1, false);
      case 2:
        return set_limit(backend, kNoLimit, false);
      case 3:
        return set_limit(backend, static_cast<int>(below(4)), true);
      case 4:
        slots_ = static_cast<int>(below(10)) + 1;
        return admission_.set_slots(slots_);
      case 5:
        return set_window(lanes_[below(3)], below(3) == 0 ? kNoLimit : static_cast<int>(below(4)));
    }
  }

  void check() {
    ASSERT_NO_THROW(admission_.check());
    ASSERT_EQ(admission_.running(), static_cast<int>(jobs_.size()));
    for (const auto& job : jobs_) {
      ASSERT_EQ(job->ticket.state(), job->state);
      ASSERT_FALSE(job->state == State::held && may_go(*job)) << "a job is held that may go";
    }
    int held = 0;
    for (const auto& endpoint : endpoints_) {
      ASSERT_EQ(endpoint.node.posted(), jobs_at(endpoint, State::posted));
      ASSERT_EQ(endpoint.node.held(), jobs_at(endpoint, State::held));
      for (const auto& backend : endpoint.backends) ASSERT_EQ(backend.node.posted(), posted_at(backend));
      held += endpoint.node.held();
    }
    ASSERT_EQ(admission_.held(), held);
    for (const auto& lane : lanes_) {
      ASSERT_EQ(lane.node.jobs(), jobs_of(lane));
      ASSERT_EQ(lane.node.posted(), posted_of(lane));
      for (const auto& link : lane.links) ASSERT_EQ(link.node.outstanding(), link.outstanding);
    }
  }

  std::minstd_rand random_;
  int slots_ = 5;
  Admission admission_;
  EndpointCounters endpoints_[2];
  LaneCounters lanes_[3];
  std::deque<std::unique_ptr<Job>> jobs_;
};

TEST(Admission, WhateverHappensItsCountersAddUpAndItsLimitsHold) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    RandomWorld world(seed);
    for (int i = 0; i < 300; ++i) {
      world.step();
      if (testing::Test::HasFailure()) return;
    }
    world.finish();
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Admission, WhateverHappensNoMoreJobsAreTakenThanTheRateAllows) {
  constexpr int kRate = 5;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    std::minstd_rand random(seed);
    World world(100, kRate);
    int taken = 0;
    auto elapsed = 0ms;
    for (int i = 0; i < 200; ++i) {
      const int granted = world.grab(static_cast<int>(random() % 4), kStart + elapsed);
      ASSERT_LE(taken + world.link.outstanding(), kRate + kRate * elapsed / 1s);
      for (int grab = 0; grab < granted; ++grab) {
        switch (random() % 3) {
          case 0:
            world.admission.end(world.assign(world.link, world.function));
            ++taken;
            break;
          case 1:
            world.admission.no_job(world.link);
            break;
          default:
            break;  // the grab is not answered yet
        }
      }
      elapsed += std::chrono::milliseconds(random() % 100);
    }
  }
}

}  // namespace
}  // namespace driveshaft::dispatch
