// SPDX-License-Identifier: MIT
// A backend whose jobs fail while those of the others do not.
#include <gtest/gtest.h>

#include <algorithm>

#include "dispatch/backend_health.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using Clock = BackendHealth::Clock;
using State = BackendHealth::State;

const Clock::time_point kStart = Clock::time_point(1000s);

struct Failing : testing::Test {
  BackendHealth health{8, false};

  bool failed(Clock::time_point now = kStart, int posted = 1, std::optional<double> others = 0.0,
              Clock::duration took = 1ms) {
    return health.attempt_ended({.news = BackendNews::overloaded,
                                 .why = "HTTP status 500",
                                 .took = took,
                                 .score = AttemptScore::failure,
                                 .others_fail = others},
                                posted, true, now, 0);
  }
  bool succeeded(Clock::time_point now = kStart, int posted = 1, Clock::duration took = 1ms) {
    return health.attempt_ended({.news = BackendNews::answered, .took = took, .score = AttemptScore::success},
                                posted, true, now, 0);
  }
};

TEST_F(Failing, OneFailureIsEnoughWhereTheOthersHaveNone) {
  EXPECT_FALSE(failed(kStart, 8)) << "people are not told of a single failure";
  EXPECT_TRUE(health.is_failing());
  EXPECT_FALSE(health.works());
  EXPECT_EQ(health.state(), State::up);
  EXPECT_EQ(health.limit(), 0);
  EXPECT_EQ(health.wake_at(), kStart + 1s);
}

TEST_F(Failing, WithoutOtherBackendsItIsNeverFailing) {
  for (int i = 0; i < 20; ++i) failed(kStart, 8, std::nullopt);
  EXPECT_FALSE(health.is_failing());
  EXPECT_EQ(health.limit(), kNoLimit);
}

TEST_F(Failing, WhereTheOthersFailAsWellItIsNotFailing) {
  for (int i = 0; i < 20; ++i) failed(kStart, 8, 0.5);
  EXPECT_FALSE(health.is_failing());
}

TEST_F(Failing, AfterAFewFailuresAFewSuccessesOfJobsThatItHadAreEnough) {
  failed(kStart, 8);
  EXPECT_FALSE(succeeded(kStart + 1ms, 7));
  EXPECT_TRUE(health.works()) << "one was chance";
  failed(kStart, 6);
  failed(kStart, 5);
  for (int i = 0; i < 3; ++i) succeeded(kStart + 1ms, 4 - i);
  EXPECT_FALSE(health.works()) << "its share is still high";
  succeeded(kStart + 1ms, 1);
  EXPECT_TRUE(health.works());
  EXPECT_EQ(health.limit(), kNoLimit) << "as before";
  EXPECT_EQ(health.wake_at(), std::nullopt);
}

// The backend answers 500 at once, and jobs that it has had for longer still succeed.
TEST_F(Failing, ASuccessOfAJobThatWasSentBeforeBeginsATrial) {
  failed(kStart, 8);
  EXPECT_FALSE(succeeded(kStart + 1ms, 7, 10ms));
  EXPECT_TRUE(health.is_failing());
  EXPECT_EQ(health.limit(), 7) << "the six that it has, and one";
  succeeded(kStart + 2ms, 6, 10ms);
  EXPECT_TRUE(health.job_is_sent());
  EXPECT_EQ(health.limit(), 0);
  succeeded(kStart + 3ms, 6, 10ms);
  EXPECT_EQ(health.limit(), 0) << "one at a time";
  EXPECT_FALSE(failed(kStart + 4ms, 5)) << "people are not told of that";
  EXPECT_EQ(health.wake_at(), kStart + 4ms + 1s) << "no longer than without it";
  for (int i = 0; i < 3; ++i) succeeded(kStart + 5ms, 4 - i, 10ms);
  EXPECT_EQ(health.limit(), 3) << "by its share it could be chance again";
}

TEST_F(Failing, AfterASingleFailureItGetsNoJobsUntilTheTrialEnds) {
  failed(kStart, 8);
  succeeded(kStart + 1ms, 7, 10ms);
  health.job_is_sent();
  EXPECT_FALSE(succeeded(kStart + 3ms, 7, 1ms));
  EXPECT_TRUE(health.works());
  EXPECT_EQ(health.limit(), kNoLimit);
}

// Each job that is sent to it from now on fails at once.
TEST_F(Failing, ABackendThatBeginsToFailFailsNoMoreJobsThanItHad) {
  constexpr int kSlots = 9;
  auto now = kStart;
  failed(now, kSlots);
  int failures = 1;
  for (int old = kSlots - 1; old > 0; --old) {
    now += 1ms;
    succeeded(now, old, 1s);
    int sent = 0;
    for (; old - 1 + sent < std::min(health.limit(), kSlots); ++sent) health.job_is_sent();
    failures += sent;
    for (; sent > 0; --sent) failed(now + 10us, old - 1 + sent, 0.0, 5us);
  }
  EXPECT_LT(failures, kSlots);
}

TEST_F(Failing, AfterManyFailuresInARowOnlyATrialEndsTheState) {
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(failed(kStart, 8 - i));
  EXPECT_TRUE(failed(kStart + 1ms, 4)) << "the fifth in a row";
  EXPECT_EQ(health.state(), State::failing);
  EXPECT_EQ(health.why(), "HTTP status 500");
  EXPECT_EQ(health.since(), kStart);
  EXPECT_EQ(health.wake_at(), kStart + 1ms + 10s);
  succeeded(kStart + 2ms, 3, 1s);
  EXPECT_EQ(health.state(), State::failing) << "it was sent long before";
  EXPECT_EQ(health.limit(), 0);

  health.try_one(2, kStart + 11s);
  EXPECT_EQ(health.limit(), 3);
  EXPECT_TRUE(health.job_is_sent());
  EXPECT_EQ(health.limit(), 0) << "one job alone";
  EXPECT_TRUE(succeeded(kStart + 11s + 5ms, 1, 4ms));
  EXPECT_EQ(health.state(), State::up);
  EXPECT_EQ(health.limit(), 1) << "it comes back slowly";
}

TEST_F(Failing, ATrialThatFailsDoublesThePause) {
  for (int i = 0; i < 5; ++i) failed(kStart, 5 - i);
  auto now = kStart + 10s;
  for (const auto pause : {20s, 40s, 80s, 160s, 300s, 300s}) {
    health.try_one(0, now);
    EXPECT_EQ(health.wake_at(), std::nullopt) << "its answer says when to go on";
    health.job_is_sent();
    failed(now + 2ms, 1);
    EXPECT_EQ(health.wake_at(), now + 2ms + pause);
    now += pause;
  }
}

TEST_F(Failing, ATrialWithoutAResultIsFollowedByAnother) {
  for (int i = 0; i < 5; ++i) failed(kStart, 5 - i);
  health.try_one(0, kStart + 10s);
  health.job_is_sent();
  health.attempt_ended({.news = BackendNews::none, .took = 1ms}, 1, true, kStart + 11s, 0);
  EXPECT_TRUE(health.is_failing());
  EXPECT_EQ(health.wake_at(), kStart + 21s) << "no longer than before, as it has not failed";
}

TEST_F(Failing, ConnectionsThatBreakTogetherAreOneFailure) {
  const auto breaks = [this](Clock::time_point now, Clock::duration took, int posted) {
    health.attempt_ended({.news = BackendNews::broke_off,
                          .why = "the connection broke",
                          .took = took,
                          .score = AttemptScore::failure,
                          .others_fail = 0.0},
                         posted, true, now, 0);
  };
  for (int i = 0; i < 8; ++i) breaks(kStart + i * 1ms, 1s, 8 - i);
  EXPECT_TRUE(health.is_failing());
  EXPECT_EQ(health.state(), State::up) << "people are not told";
  EXPECT_EQ(health.wake_at(), kStart + 1s) << "its process has died, and may be there again";
  for (int i = 1; i < 5; ++i) {
    EXPECT_EQ(health.state(), i == 1 ? State::up : State::failing);
    health.try_one(0, kStart + i * 10s);
    health.job_is_sent();
    breaks(kStart + i * 10s + 2ms, 1ms, 1);
  }
  EXPECT_EQ(health.wake_at(), kStart + 40s + 2ms + 160s) << "it breaks each of them";
}

TEST_F(Failing, ABackendWithoutOtherJobsIsTriedAfterASecond) {
  failed();
  health.try_one(0, kStart + 1s);
  EXPECT_EQ(health.limit(), 1);
  health.job_is_sent();
  EXPECT_TRUE(failed(kStart + 1s + 2ms)) << "now people are told";
  EXPECT_EQ(health.wake_at(), kStart + 1s + 2ms + 2s);
}

TEST_F(Failing, AnOutageEndsTheState) {
  failed(kStart, 2);
  EXPECT_TRUE(health.attempt_ended({.news = BackendNews::unreachable, .why = "refused", .others_fail = 0.0},
                                   1, true, kStart, 0));
  EXPECT_EQ(health.state(), State::unreachable);
  health.recover(0);
  EXPECT_TRUE(health.works());
}

TEST_F(Failing, ABackendThatCannotBeSparedIsTakenBack) {
  for (int i = 0; i < 5; ++i) failed(kStart, 5 - i);
  health.take_back();
  EXPECT_EQ(health.state(), State::up);
  EXPECT_EQ(health.limit(), kNoLimit);
  EXPECT_EQ(health.wake_at(), std::nullopt);
}

TEST_F(Failing, FailuresThatAreTheApplicationsOwnDoNotCount) {
  health.attempt_ended({.news = BackendNews::answered, .score = AttemptScore::success, .others_fail = 0.0}, 1,
                       true, kStart, 0);
  health.attempt_ended({.news = BackendNews::none, .score = AttemptScore::none, .others_fail = 0.0}, 1, true,
                       kStart, 0);
  EXPECT_FALSE(health.is_failing());
}

// A backend that answers 429 at once would get most jobs.
TEST_F(Failing, TooManyRequestsCount) {
  health.attempt_ended({.news = BackendNews::overloaded, .score = AttemptScore::none, .others_fail = 0.0}, 1,
                       true, kStart, 0);
  EXPECT_TRUE(health.is_failing());
}

TEST(OtherBackends, HalfOfAllMayBeFailingAndOneHasToWork) {
  const auto can_spare_one = [](int all, int working, int failing) {
    return OtherBackends{all, working, failing, 0}.can_spare_one();
  };
  EXPECT_FALSE(can_spare_one(0, 0, 0)) << "it is alone";
  EXPECT_TRUE(can_spare_one(1, 1, 0)) << "one of two";
  EXPECT_FALSE(can_spare_one(1, 0, 0)) << "the other is away";
  EXPECT_FALSE(can_spare_one(2, 1, 1)) << "two of three";
  EXPECT_TRUE(can_spare_one(3, 2, 1)) << "two of four";
}

TEST(IsOutlier, TheShareMustBeFarAboveTheOthers) {
  EXPECT_TRUE(is_outlier(0.25, 0));
  EXPECT_FALSE(is_outlier(0.2, 0));
  EXPECT_FALSE(is_outlier(0.5, 0.25));
  EXPECT_TRUE(is_outlier(0.75, 0.25));
  EXPECT_FALSE(is_outlier(1, 0.4));
}

}  // namespace
}  // namespace driveshaft::dispatch
