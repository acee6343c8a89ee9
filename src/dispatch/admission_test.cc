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

// A pool with one endpoint, one lane, one function and one link, unless a test adds more.
struct World {
  explicit World(int slots = 4, double rate = 0) : admission(slots, rate, kStart) {
    admission.add(endpoint);
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

  // What the links are granted, if each wants so many grabs.
  std::vector<int> grabs(const std::vector<std::pair<Admission::Link*, int>>& wants,
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

  // A job comes by a link that has grabbed.
  Admission::Ticket& assign(Admission::Link& by, Admission::Function& of) {
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
  Admission::Endpoint endpoint;
  Admission::Function function;
  Admission::Lane lane;
  Admission::Link link;
  std::optional<Clock::time_point> wake_at;
  std::vector<std::unique_ptr<Admission::Ticket>> tickets;
};

// Another function with a lane, a link and an endpoint of its own.
struct Other {
  Other(World& world, int limit, Admission::Endpoint* shared = nullptr) : admission(world.admission) {
    if (!shared) admission.add(own);
    Admission::Endpoint& endpoint = shared ? *shared : own;
    admission.add(lane);
    admission.set_function(function, endpoint, &lane, limit);
    admission.set_lane(lane, &endpoint, limit);
    admission.add(link, lane);
  }

  Admission& admission;
  Admission::Endpoint own;
  Admission::Function function;
  Admission::Lane lane;
  Admission::Link link;
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

TEST(Admission, ALostConnectionFreesTheSlotsOfItsGrabs) {
  World world(2);
  EXPECT_EQ(world.grab(2), 2);
  world.admission.connection_lost(world.link);
  EXPECT_EQ(world.grab(2), 2);
}

TEST(Admission, FewerSlotsTakeNoJobBack) {
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
  Admission::Link other;
  world.admission.add(other, world.lane);
  EXPECT_EQ(world.grab(2), 2);
  EXPECT_THAT(world.grabs({{&other, 2}}), ElementsAre(0));
  world.admission.grabs_are_late(world.link);
  EXPECT_THAT(world.grabs({{&other, 2}}), ElementsAre(2));
}

TEST(Admission, JobsOfALateServerWaitForAPermit) {
  World world(1);
  Admission::Link other;
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
  world.admission.set_limit(world.endpoint, 0);
  EXPECT_EQ(world.admission.admit(first), Admitted::held);
  EXPECT_EQ(world.admission.admit(second), Admitted::held);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  world.admission.set_limit(world.endpoint, 1);
  EXPECT_EQ(world.admission.next_to_post(), &first);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  world.admission.release(first);
  EXPECT_EQ(world.admission.next_to_post(), &second);
}

TEST(Admission, AJobDoesNotOvertakeAHeldOne) {
  World world(2);
  auto& first = world.job();
  auto& second = world.job();
  world.admission.set_limit(world.endpoint, 0);
  EXPECT_EQ(world.admission.admit(first), Admitted::held);
  world.admission.set_limit(world.endpoint, 1);
  EXPECT_EQ(world.admission.admit(second), Admitted::held);
  EXPECT_EQ(world.admission.next_to_post(), &first);
}

TEST(Admission, AnEndpointThatTakesNoneKeepsThePoolFromGrabbing) {
  World world(4);
  world.admission.set_limit(world.endpoint, 0);
  EXPECT_EQ(world.grab(4), 0);
  world.admission.set_limit(world.endpoint, 1);
  EXPECT_EQ(world.grab(4), 1);
  EXPECT_EQ(world.grab(4), 0);
}

TEST(Admission, PermitsOfAnEndpointCountWhatIsHeldAndOnItsWay) {
  World world(8);
  auto& held = world.job();
  world.admission.set_limit(world.endpoint, 0);
  EXPECT_EQ(world.admission.admit(held), Admitted::held);
  world.admission.set_limit(world.endpoint, 3);
  EXPECT_EQ(world.grab(1), 1);
  EXPECT_EQ(world.grab(8), 1);
}

TEST(Admission, AJobThatWasNotSentGoesBeforeThoseThatWere) {
  World world(4);
  auto& sent = world.posted_job();
  world.admission.set_limit(world.endpoint, 0);
  world.admission.release(sent);
  EXPECT_EQ(world.admission.admit(sent), Admitted::held);
  world.admission.set_limit(world.endpoint, 4);
  auto& first = world.job();
  auto& second = world.job();
  world.admission.set_limit(world.endpoint, 0);
  EXPECT_EQ(world.admission.admit(first), Admitted::held);
  EXPECT_EQ(world.admission.admit(second), Admitted::held);
  world.admission.set_limit(world.endpoint, 4);
  EXPECT_EQ(world.admission.next_to_post(), &first);
  EXPECT_EQ(world.admission.next_to_post(), &second);
  EXPECT_EQ(world.admission.next_to_post(), &sent);
}

TEST(Admission, APermitForANewJobIsNotForAHeldOneAndUsesItsSlot) {
  World world(1);
  auto& sent = world.posted_job();
  world.admission.set_limit(world.endpoint, 1, /*wants_new_job=*/true);
  world.admission.release(sent);
  EXPECT_EQ(world.admission.admit(sent), Admitted::held);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  EXPECT_EQ(world.grab(5), 1) << "the pool has one slot, which the held job does not use";
  auto& fresh = world.assign(world.link, world.function);
  EXPECT_EQ(world.admission.admit(fresh), Admitted::posted);
  world.admission.release(fresh);
  EXPECT_EQ(world.admission.admit(fresh), Admitted::held);
  EXPECT_FALSE(world.admission.set_limit(world.endpoint, 1, true));
  EXPECT_TRUE(world.admission.set_limit(world.endpoint, 1));
  EXPECT_EQ(world.admission.next_to_post(), &sent) << "the longest held";
}

TEST(Admission, NewJobsThatAreHeldBeyondTheSlotsAreFew) {
  World world(2);
  world.admission.set_limit(world.endpoint, 1, /*wants_new_job=*/true);
  int jobs = 0;
  while (world.grab(5) > 0) {
    ASSERT_LT(jobs, 100);
    ++jobs;
    auto& job = world.assign(world.link, world.function);
    ASSERT_EQ(world.admission.admit(job), Admitted::posted);
    world.admission.release(job);
    ASSERT_EQ(world.admission.admit(job), Admitted::held);
  }
  EXPECT_EQ(jobs, 8);
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

TEST(Admission, ADrainRequeuesWhatWouldBeHeld) {
  World world(2);
  auto& job = world.job();
  auto& other = world.job();
  world.admission.drain();
  EXPECT_EQ(world.admission.admit(job), Admitted::posted);
  world.admission.set_limit(world.endpoint, 1);
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

TEST(Admission, LanesWithAsManyJobsTakeTurns) {
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
  Admission::Link other;
  world.admission.add(other, world.lane);
  EXPECT_THAT(world.grabs({{&world.link, 32}, {&other, 32}}), ElementsAre(3, 2));
  EXPECT_THAT(world.grabs({{&world.link, 32}, {&other, 32}}), ElementsAre(0, 0));
}

TEST(Admission, JobsThatWaitForOneEndpointLendTheirSlotsToAnother) {
  World world(1);
  Other other(world, kNoLimit);
  auto& held = world.job();
  EXPECT_THAT(world.grabs({{&other.link, 1}}), ElementsAre(0));
  world.admission.set_limit(world.endpoint, 0);
  EXPECT_EQ(world.admission.admit(held), Admitted::held);
  EXPECT_EQ(world.admission.reusable_slots(), 1);
  EXPECT_THAT(world.grabs({{&world.link, 1}, {&other.link, 1}}), ElementsAre(0, 1));
}

TEST(Admission, AloneAnEndpointLendsNothing) {
  World world(1);
  auto& held = world.job();
  world.admission.set_limit(world.endpoint, 0);
  EXPECT_EQ(world.admission.admit(held), Admitted::held);
  EXPECT_EQ(world.admission.reusable_slots(), 0);
}

TEST(Admission, TheSlotsBoundTheJobsAtAllEndpointsTogether) {
  World world(1);
  Other other(world, kNoLimit);
  auto& held = world.job();
  world.admission.set_limit(world.endpoint, 0);
  EXPECT_EQ(world.admission.admit(held), Admitted::held);
  EXPECT_THAT(world.grabs({{&other.link, 1}}), ElementsAre(1));
  auto& running = world.assign(other.link, other.function);
  EXPECT_EQ(world.admission.admit(running), Admitted::posted);
  world.admission.set_limit(world.endpoint, kNoLimit);
  EXPECT_EQ(world.admission.next_to_post(), nullptr);
  world.admission.end(running);
  EXPECT_EQ(world.admission.next_to_post(), &held);
}

TEST(Admission, HeldJobsFollowTheirFunctionToAnotherEndpoint) {
  World world(2);
  Other other(world, kNoLimit);
  auto& held = world.job();
  world.admission.set_limit(world.endpoint, 0);
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
  EXPECT_EQ(other.lane.jobs(), 1);
  EXPECT_THAT(world.grabs({{&other.link, 8}}), ElementsAre(1));
}

TEST(Admission, ALaneWithoutAnEndpointTakesNoMore) {
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

TEST(Admission, AnotherRateStartsAnew) {
  World world(100, 2);
  EXPECT_EQ(world.grab(2), 2);
  world.admission.connection_lost(world.link);
  world.admission.set_rate(5, kStart);
  EXPECT_EQ(world.grab(100), 5);
}

// Random events, held against what must be true after each.
class RandomWorld {
 public:
  explicit RandomWorld(unsigned seed) : random_(seed), admission_(slots_, 0, kStart) {
    for (auto& endpoint : endpoints_) admission_.add(endpoint);
    for (std::size_t i = 0; i < std::size(lanes_); ++i) {
      admission_.add(lanes_[i]);
      limits_[i] = i == 0 ? kNoLimit : 3;
      admission_.set_function(functions_[i], endpoints_[i % 2], &lanes_[i], limits_[i]);
      admission_.set_lane(lanes_[i], &endpoints_[i % 2], limits_[i]);
      for (auto& link : links_[i]) admission_.add(link, lanes_[i]);
    }
  }
  ~RandomWorld() {
    while (!jobs_.empty()) end(0);
  }

  void step() {
    switch (below(10)) {
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
        if (auto* link = link_with_grabs()) admission_.grabs_are_late(*link);
        break;
      case 6:
        if (auto* link = link_with_grabs()) admission_.connection_lost(*link);
        break;
      case 7:
        if (!jobs_.empty()) end(below(jobs_.size()));
        break;
      case 8:
        if (!jobs_.empty()) attempt_ends(below(jobs_.size()));
        break;
      case 9:
        change_limits();
        break;
    }
    while (auto* ticket = admission_.next_to_post()) EXPECT_EQ(ticket->state(), State::posted);
    check();
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }

  Admission::Link* link_with_grabs() {
    std::vector<Admission::Link*> links;
    for (auto& lane : links_) {
      for (auto& link : lane) {
        if (link.outstanding() > 0) links.push_back(&link);
      }
    }
    return links.empty() ? nullptr : links[below(links.size())];
  }

  void grab() {
    for (auto& lane : links_) {
      for (auto& link : lane) link.wants(static_cast<int>(below(8)), below(20) == 0);
    }
    std::vector<Admission::Grant> grants;
    const int running = admission_.running();
    const int reusable = admission_.reusable_slots();
    admission_.wake_draining_links(grants);
    admission_.share_out(kStart, grants);
    int granted = 0;
    for (const auto& grant : grants) granted += grant.grabs;
    EXPECT_LE(granted, std::max(slots_ - running + reusable, 0));
  }

  void answer(bool with_job) {
    auto* link = link_with_grabs();
    if (!link) return;
    if (!with_job) return admission_.no_job(*link);
    std::size_t lane = 0;
    while (link < std::begin(links_[lane]) || link >= std::end(links_[lane])) ++lane;
    jobs_.push_back(std::make_unique<Admission::Ticket>());
    admission_.job_assigned(*link, *jobs_.back(), functions_[lane]);
    EXPECT_NE(admission_.admit(*jobs_.back()), Admitted::requeue);
  }

  void attempt_ends(std::size_t at) {
    admission_.release(*jobs_[at]);
    EXPECT_EQ(jobs_[at]->state(), State::taken);
    EXPECT_NE(admission_.admit(*jobs_[at]), Admitted::requeue);
  }

  void end(std::size_t at) {
    admission_.end(*jobs_[at]);
    EXPECT_EQ(jobs_[at]->state(), State::idle);
    jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void change_limits() {
    auto& endpoint = endpoints_[below(2)];
    switch (below(7)) {
      case 5:
        admission_.set_limit(endpoint, static_cast<int>(below(4)), /*wants_new_job=*/true);
        break;
      case 6:
        admission_.set_lane_window(lanes_[below(3)], below(3) == 0 ? kNoLimit : static_cast<int>(below(4)));
        break;
      case 0:
        admission_.set_limit(endpoint, 0);
        break;
      case 1:
        admission_.set_limit(endpoint, static_cast<int>(below(6)) + 1);
        break;
      case 2:
        admission_.set_limit(endpoint, kNoLimit);
        break;
      case 3:
        slots_ = static_cast<int>(below(10)) + 1;
        admission_.set_slots(slots_);
        break;
      case 4: {
        const std::size_t i = below(std::size(lanes_));
        auto& to = endpoints_[below(2)];
        admission_.set_function(functions_[i], to, &lanes_[i], limits_[i]);
        admission_.set_lane(lanes_[i], &to, limits_[i]);
        break;
      }
    }
  }

  void check() {
    ASSERT_NO_THROW(admission_.check());
    ASSERT_EQ(admission_.running(), static_cast<int>(jobs_.size()));
    int held = 0;
    int posted = 0;
    for (const auto& job : jobs_) {
      held += job->state() == State::held;
      posted += job->state() == State::posted;
    }
    ASSERT_EQ(admission_.held(), held);
    ASSERT_EQ(endpoints_[0].posted() + endpoints_[1].posted(), posted);
    // Nothing waits that may go: the first that is held has no permit.
    ASSERT_EQ(admission_.next_to_post(), nullptr);
  }

  std::minstd_rand random_;
  int slots_ = 5;
  Admission admission_;
  Admission::Endpoint endpoints_[2];
  Admission::Lane lanes_[3];
  Admission::Function functions_[3];
  int limits_[3];
  Admission::Link links_[3][2];
  std::deque<std::unique_ptr<Admission::Ticket>> jobs_;
};

TEST(Admission, ItsCountersAddUpWhateverHappens) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    RandomWorld world(seed);
    for (int i = 0; i < 300; ++i) {
      world.step();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace driveshaft::dispatch
