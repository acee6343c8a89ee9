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
  // Grants all that is wanted and says how much that was.
  int grab() {
    const int count = grabber.wanted();
    grabber.granted(count);
    return count;
  }
  void run_dry() {
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

TEST_F(GrabberTest, NoJobToTheLastGrabSleepsAndToTheOthersWaits) {
  grab();
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::nothing);
  EXPECT_EQ(grabber.wanted(), 0) << "dry with a grab unanswered: asking again would spin";
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::send_pre_sleep);
  EXPECT_TRUE(grabber.asleep());
  EXPECT_EQ(grabber.wanted(), 0);
}

TEST_F(GrabberTest, AJobAfterNoJobKeepsItAwake) {
  grab();
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::nothing);
  ASSERT_TRUE(grabber.on_job());
  EXPECT_FALSE(grabber.asleep());
  EXPECT_EQ(grab(), 2) << "the window starts again from 1 at NO_JOB and doubles with the job";
}

TEST_F(GrabberTest, NoopWakesASleeperIntoASingleGrab) {
  run_dry();
  now += 1s;
  grabber.on_noop(now);
  EXPECT_FALSE(grabber.asleep());
  EXPECT_EQ(grab(), 1);
}

TEST_F(GrabberTest, NoopWhileAwakeChangesNothing) {
  EXPECT_EQ(grab(), 1);
  grabber.on_noop(now);
  EXPECT_EQ(grabber.wanted(), 0);
}

TEST_F(GrabberTest, WithoutASlotItStaysAwakeAndWanting) {
  run_dry();
  now += 1s;
  grabber.on_noop(now);  // the pool has no slot now, so nothing is granted
  EXPECT_EQ(grabber.wanted(), 1);
  EXPECT_FALSE(grabber.wake_at());
}

TEST_F(GrabberTest, ASleeperGrabsUnaskedWhenItsPollIsDue) {
  run_dry();
  ASSERT_TRUE(grabber.wake_at());
  EXPECT_EQ(*grabber.wake_at(), now + 7s);
  grabber.on_time(now + 6999ms);
  EXPECT_TRUE(grabber.asleep());
  grabber.on_time(now + 7s);
  EXPECT_EQ(grab(), 1);
}

TEST_F(GrabberTest, WokenInVainAtOnceAgainAndAgainItWaitsLongerAndLonger) {
  run_dry();
  for (int round = 0; round < 3; ++round) {
    grabber.on_noop(now);
    EXPECT_EQ(grabber.wanted(), 1) << round;
    run_dry();
  }
  for (const auto wait : {10ms, 20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1000ms, 1000ms}) {
    grabber.on_noop(now);
    EXPECT_EQ(grabber.wanted(), 0);
    EXPECT_TRUE(grabber.asleep());
    ASSERT_EQ(*grabber.wake_at(), now + wait);
    now += wait;
    grabber.on_time(now);
    run_dry();
  }
  grabber.on_noop(now);
  EXPECT_FALSE(grabber.on_noop(now));  // while held back
  EXPECT_EQ(*grabber.wake_at(), now + 1s);
}

TEST_F(GrabberTest, AJobOrAPauseEndsTheSuspicionOfASpin) {
  run_dry();
  for (int round = 0; round < 20; ++round) {
    now += 6ms;  // not at once: another worker was quicker
    grabber.on_noop(now);
    ASSERT_EQ(grabber.wanted(), 1);
    run_dry();
  }
  for (int round = 0; round < 20; ++round) {
    grabber.on_noop(now);
    ASSERT_EQ(grabber.wanted(), 1);
    grab();
    ASSERT_TRUE(grabber.on_job());
    run_dry();
  }
}

TEST_F(GrabberTest, AnswersWithoutAGrabAreOutOfStep) {
  EXPECT_FALSE(grabber.on_job());
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::out_of_step);
}

TEST_F(GrabberTest, ARegisteredFunctionWakesIt) {
  run_dry();
  grabber.wake();
  EXPECT_EQ(grab(), 1);
}

TEST_F(GrabberTest, AnErrorToTheFirstGrabMakesItFallBack) {
  EXPECT_EQ(grabber.dialect(), Dialect::gearmand);
  EXPECT_EQ(grab(), 1);
  EXPECT_EQ(grabber.wanted(), 0) << "until it is answered the first grab is alone";
  EXPECT_EQ(grabber.on_error(), OnError::fall_back);
  EXPECT_EQ(grabber.dialect(), Dialect::perl);
  EXPECT_EQ(grabber.outstanding(), 0);
  EXPECT_EQ(grab(), 1) << "it asks again, and at once";
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
}

TEST_F(GrabberTest, AfterItFellBackItSleepsWakesAndPollsOftener) {
  grab();
  ASSERT_EQ(grabber.on_error(), OnError::fall_back);
  run_dry();
  EXPECT_EQ(*grabber.wake_at(), now + 1s);
  grabber.on_time(now + 1s);
  run_dry();
  now += 1s;
  EXPECT_TRUE(grabber.on_noop(now));
  EXPECT_EQ(grab(), 1);
  EXPECT_EQ(grabber.dialect(), Dialect::perl);
}

TEST_F(GrabberTest, ErrorsAfterAGrabWasUnderstoodAreOfAnother) {
  grab();
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
  EXPECT_EQ(grabber.on_error(), OnError::of_another);
  EXPECT_EQ(grabber.outstanding(), 2);
  EXPECT_EQ(grabber.dialect(), Dialect::gearmand);
}

TEST_F(GrabberTest, AnErrorAfterTheFirstNoJobIsOfAnother) {
  run_dry();
  grabber.wake();
  grab();
  EXPECT_EQ(grabber.on_error(), OnError::of_another);
  EXPECT_EQ(grabber.dialect(), Dialect::gearmand);
}

TEST_F(GrabberTest, AnErrorBeforeAnyGrabIsOfAnother) {
  EXPECT_EQ(grabber.on_error(), OnError::of_another);
  EXPECT_EQ(grabber.dialect(), Dialect::gearmand);
}

TEST_F(GrabberTest, AServerThatRefusesBothGrabsIsOfNoUse) {
  grab();
  ASSERT_EQ(grabber.on_error(), OnError::fall_back);
  EXPECT_EQ(grabber.on_error(), OnError::of_another) << "no grab is out";
  grab();
  EXPECT_EQ(grabber.on_error(), OnError::grabs_refused);
}

TEST_F(GrabberTest, DrainingWhenItFallsBackItAsksNoMore) {
  grab();
  grabber.drain();
  EXPECT_EQ(grabber.on_error(), OnError::fall_back);
  EXPECT_EQ(grabber.outstanding(), 0);
  EXPECT_EQ(grabber.wanted(), 0);
  EXPECT_FALSE(grabber.wants_unsleep());
}

TEST_F(GrabberTest, DrainingItNeitherGrabsNorSleeps) {
  grab();
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grab(), 2);
  grabber.drain();
  EXPECT_EQ(grabber.wanted(), 0);
  EXPECT_FALSE(grabber.wants_unsleep());
  ASSERT_TRUE(grabber.on_job());
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::nothing);
  EXPECT_EQ(grabber.outstanding(), 0);
}

TEST_F(GrabberTest, DrainingASleeperUnsleepsItWithOneGrab) {
  run_dry();
  grabber.drain();
  EXPECT_TRUE(grabber.wants_unsleep());
  grabber.granted_unsleep();
  EXPECT_EQ(grabber.outstanding(), 1);
  EXPECT_FALSE(grabber.wants_unsleep());
  EXPECT_EQ(grabber.on_no_job(now), OnNoJob::nothing) << "no PRE_SLEEP any more";
}

}  // namespace
}  // namespace driveshaft::gearman
