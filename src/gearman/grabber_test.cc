// SPDX-License-Identifier: MIT
#include "gearman/grabber.h"

#include <gtest/gtest.h>

namespace driveshaft::gearman {
namespace {

using namespace std::chrono_literals;
using OnError = Grabber::OnError;
using OnNoJob = Grabber::OnNoJob;

class GrabberTest : public testing::Test {
 protected:
  // Grants all grabs that are wanted, and returns their number.
  int grab() {
    const int count = grabber.grabs_wanted();
    grabber.granted(count);
    return count;
  }
  void fall_asleep() {
    grab();
    while (grabber.outstanding() > 1) ASSERT_EQ(grabber.on_no_job(now), OnNoJob::nothing);
    ASSERT_EQ(grabber.on_no_job(now), OnNoJob::send_pre_sleep);
  }

  Grabber::Clock::time_point now{1h};
  Grabber grabber{7s};
};

TEST_F(GrabberTest, StartsWithOneGrabAndDoublesWithEachJob) {
  EXPECT_EQ(grab(), 1);
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 3);  // a window of 4, one grab still unanswered
  for (int jobs = 0; jobs < 100; ++jobs) {
    ASSERT_TRUE(grabber.on_job());
    grab();
    ASSERT_LE(grabber.outstanding(), Grabber::kMaxBurst);
  }
  EXPECT_EQ(grabber.outstanding(), Grabber::kMaxBurst);
}

TEST_F(GrabberTest, ItSleepsWhenTheLastGrabIsAnsweredByNoJob) {
  grab();
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::nothing);
  EXPECT_EQ(grabber.grabs_wanted(), 0) << "a grab is unanswered: another one would make a spin";
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::send_pre_sleep);
  EXPECT_TRUE(grabber.asleep());
  EXPECT_EQ(grabber.grabs_wanted(), 0);
}

TEST_F(GrabberTest, AJobAfterNoJobPreventsSleep) {
  grab();
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::nothing);
  ASSERT_TRUE(grabber.on_job());
  EXPECT_FALSE(grabber.asleep());
  EXPECT_EQ(grab(), 2) << "NO_JOB sets the window to 1, and the job doubles it";
}

TEST_F(GrabberTest, NoopWakesItAndItWantsOneGrab) {
  fall_asleep();
  now += 1s;
  grabber.on_noop(now);
  EXPECT_FALSE(grabber.asleep());
  EXPECT_EQ(grab(), 1);
}

TEST_F(GrabberTest, NoopWhileAwakeChangesNothing) {
  EXPECT_EQ(grab(), 1);
  grabber.on_noop(now);
  EXPECT_EQ(grabber.grabs_wanted(), 0);
}

TEST_F(GrabberTest, WithoutASlotItStaysAwakeAndWantsAGrab) {
  fall_asleep();
  now += 1s;
  grabber.on_noop(now);  // the pool has no slot now, so nothing is granted
  EXPECT_EQ(grabber.grabs_wanted(), 1);
  EXPECT_FALSE(grabber.wake_at());
}

TEST_F(GrabberTest, AsleepItGrabsWhenThePollIsDue) {
  fall_asleep();
  ASSERT_TRUE(grabber.wake_at());
  EXPECT_EQ(*grabber.wake_at(), now + 7s);
  grabber.on_time(now + 6999ms);
  EXPECT_TRUE(grabber.asleep());
  grabber.on_time(now + 7s);
  EXPECT_EQ(grab(), 1);
}

TEST_F(GrabberTest, AfterThreeNoopsWithoutAJobItWaitsLongerAndLonger) {
  fall_asleep();
  for (int round = 0; round < 3; ++round) {
    grabber.on_noop(now);
    EXPECT_EQ(grabber.grabs_wanted(), 1) << round;
    fall_asleep();
  }
  for (const auto wait : {10ms, 20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1000ms, 1000ms}) {
    grabber.on_noop(now);
    EXPECT_EQ(grabber.grabs_wanted(), 0);
    EXPECT_TRUE(grabber.asleep());
    ASSERT_EQ(*grabber.wake_at(), now + wait);
    now += wait;
    grabber.on_time(now);
    fall_asleep();
  }
  grabber.on_noop(now);
  EXPECT_FALSE(grabber.on_noop(now));  // while backing off
  EXPECT_EQ(*grabber.wake_at(), now + 1s);
}

TEST_F(GrabberTest, AJobOrAPausePreventsTheBackoff) {
  fall_asleep();
  for (int round = 0; round < 20; ++round) {
    now += 5ms;  // another worker was quicker
    grabber.on_noop(now);
    ASSERT_EQ(grabber.grabs_wanted(), 1);
    fall_asleep();
  }
  for (int round = 0; round < 20; ++round) {
    grabber.on_noop(now);
    ASSERT_EQ(grabber.grabs_wanted(), 1);
    grab();
    ASSERT_TRUE(grabber.on_job());
    fall_asleep();
  }
}

TEST_F(GrabberTest, AfterAJobThreeNoopsWithoutAJobAreAllowedAgain) {
  fall_asleep();
  for (int round = 0; round < 6; ++round) {
    grabber.on_noop(now);
    EXPECT_EQ(grabber.grabs_wanted(), 1);
    if (round == 2) {
      grab();
      ASSERT_TRUE(grabber.on_job());
    }
    fall_asleep();
  }
}

TEST_F(GrabberTest, AnswersWithoutAGrabAreUnexpected) {
  EXPECT_FALSE(grabber.on_job());
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::unexpected);
}

TEST_F(GrabberTest, ARegisteredFunctionWakesIt) {
  fall_asleep();
  grabber.wake();
  EXPECT_EQ(grab(), 1);
}

TEST_F(GrabberTest, AnErrorToTheFirstGrabMakesItFallBack) {
  EXPECT_EQ(grabber.dialect(), Dialect::gearmand);
  EXPECT_EQ(grab(), 1);
  EXPECT_EQ(grabber.grabs_wanted(), 0) << "until it is answered the first grab is alone";
  EXPECT_EQ(grabber.on_error(), OnError::fall_back);
  EXPECT_EQ(grabber.dialect(), Dialect::perl);
  EXPECT_EQ(grabber.outstanding(), 0);
  EXPECT_EQ(grab(), 1) << "it grabs again at once";
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
}

TEST_F(GrabberTest, AfterTheFallBackItPollsMoreOften) {
  grab();
  ASSERT_EQ(grabber.on_error(), OnError::fall_back);
  fall_asleep();
  EXPECT_EQ(*grabber.wake_at(), now + 1s);
  grabber.on_time(now + 1s);
  fall_asleep();
  now += 1s;
  EXPECT_TRUE(grabber.on_noop(now));
  EXPECT_EQ(grab(), 1);
  EXPECT_EQ(grabber.dialect(), Dialect::perl);
}

TEST_F(GrabberTest, AnErrorAfterTheFirstJobDoesNotAnswerAGrab) {
  grab();
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
  EXPECT_EQ(grabber.on_error(), OnError::not_for_grab);
  EXPECT_EQ(grabber.outstanding(), 2);
  EXPECT_EQ(grabber.dialect(), Dialect::gearmand);
}

TEST_F(GrabberTest, AnErrorAfterTheFirstNoJobDoesNotAnswerAGrab) {
  fall_asleep();
  grabber.wake();
  grab();
  EXPECT_EQ(grabber.on_error(), OnError::not_for_grab);
  EXPECT_EQ(grabber.dialect(), Dialect::gearmand);
}

TEST_F(GrabberTest, AnErrorBeforeAnyGrabDoesNotAnswerAGrab) {
  EXPECT_EQ(grabber.on_error(), OnError::not_for_grab);
  EXPECT_EQ(grabber.dialect(), Dialect::gearmand);
}

TEST_F(GrabberTest, AServerThatRefusesBothKindsOfGrabIsGivenUp) {
  grab();
  ASSERT_EQ(grabber.on_error(), OnError::fall_back);
  EXPECT_EQ(grabber.on_error(), OnError::not_for_grab) << "no grab is out";
  grab();
  EXPECT_EQ(grabber.on_error(), OnError::grabs_refused);
}

TEST_F(GrabberTest, DrainingItSendsNoGrabAfterTheFallBack) {
  grab();
  grabber.drain();
  EXPECT_EQ(grabber.on_error(), OnError::fall_back);
  EXPECT_EQ(grabber.outstanding(), 0);
  EXPECT_EQ(grabber.grabs_wanted(), 0);
  EXPECT_FALSE(grabber.wants_wake_grab());
}

TEST_F(GrabberTest, DrainingItNeitherGrabsNorSleeps) {
  grab();
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
  grabber.drain();
  EXPECT_EQ(grabber.grabs_wanted(), 0);
  EXPECT_FALSE(grabber.wants_wake_grab());
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::nothing);
  EXPECT_EQ(grabber.outstanding(), 0);
}

TEST_F(GrabberTest, DrainingWhileAsleepWantsOneWakeGrab) {
  fall_asleep();
  grabber.drain();
  EXPECT_TRUE(grabber.wants_wake_grab());
  grabber.wake_grab_granted();
  EXPECT_EQ(grabber.outstanding(), 1);
  EXPECT_FALSE(grabber.wants_wake_grab());
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::nothing) << "it sends PRE_SLEEP no more";
}

}  // namespace
}  // namespace driveshaft::gearman
