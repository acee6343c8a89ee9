// SPDX-License-Identifier: MIT
#include "dispatch/backend_health.h"

#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using Clock = BackendHealth::Clock;
using State = BackendHealth::State;
using enum BackendNews;

const Clock::time_point kStart = Clock::time_point(1000s);

bool ended(BackendHealth& health, BackendNews news, Clock::time_point now = kStart, int posted = 1) {
  return health.attempt_ended({.news = news, .why = "refused"}, posted, /*hold=*/true, now, 1);
}

// An attempt of `took` ends at `now`.
bool ended_after(BackendHealth& health, BackendNews news, std::chrono::milliseconds took,
                 Clock::time_point now, int posted = 1) {
  return health.attempt_ended({.news = news, .why = "HTTP status 502", .took = took}, posted, true, now, 1);
}

bool asked_to_wait_for(BackendHealth& health, std::chrono::milliseconds wait,
                       Clock::time_point now = kStart) {
  return health.attempt_ended({.news = asked_to_wait, .why = "asks", .wait = wait}, 1, true, now, 1);
}

TEST(BackendHealth, NothingLimitsAnEndpointThatIsUp) {
  BackendHealth health(8, false);
  EXPECT_EQ(health.state(), State::up);
  EXPECT_EQ(health.limit(), kNoLimit);
  EXPECT_EQ(health.shown_limit(), 8);
  for (const auto news : {answered, reached, overloaded, none}) EXPECT_FALSE(ended(health, news));
  EXPECT_EQ(health.limit(), kNoLimit);
  EXPECT_EQ(health.wake_at(), std::nullopt);
}

TEST(BackendHealth, AnUnreachableBackendGetsNoJobsAndIsProbed) {
  BackendHealth health(8, false);
  EXPECT_TRUE(ended(health, unreachable));
  EXPECT_FALSE(ended(health, unreachable)) << "that is known";
  EXPECT_EQ(health.state(), State::unreachable);
  EXPECT_EQ(health.limit(), 0);
  EXPECT_EQ(health.why(), "refused");
  EXPECT_EQ(health.since(), kStart);
  EXPECT_FALSE(health.reached());
  EXPECT_EQ(health.wake_at(), kStart + 100ms);
}

TEST(BackendHealth, AfterABrokenConnectionNoJobIsSentForAMoment) {
  BackendHealth health(8, false);
  EXPECT_FALSE(ended(health, broke_off, kStart, 8));
  EXPECT_EQ(health.state(), State::up);
  EXPECT_TRUE(health.is_settling());
  EXPECT_EQ(health.limit(), 0);
  EXPECT_EQ(health.wake_at(), kStart + 50ms);
  ended(health, broke_off, kStart + 30ms, 7);
  EXPECT_EQ(health.wake_at(), kStart + 80ms) << "the next one follows";
  health.settled();
  EXPECT_EQ(health.limit(), kNoLimit);
  EXPECT_EQ(health.wake_at(), std::nullopt);
}

TEST(BackendHealth, OneThatAnswersAnotherJobAfterABrokenConnectionGetsJobsAtOnce) {
  for (const auto news : {answered, reached}) {
    BackendHealth health(8, false);
    ended(health, broke_off, kStart, 8);
    ended(health, news, kStart + 1ms, 7);
    EXPECT_EQ(health.limit(), kNoLimit);
    EXPECT_EQ(health.wake_at(), std::nullopt);
  }
}

TEST(BackendHealth, AnOutageAfterABrokenConnectionIsAnOutage) {
  BackendHealth health(8, false);
  ended(health, broke_off, kStart, 8);
  ended(health, unreachable, kStart + 10ms, 7);
  EXPECT_EQ(health.state(), State::unreachable);
  EXPECT_FALSE(health.is_settling());
  EXPECT_EQ(health.wake_at(), kStart + 110ms);
  ended(health, broke_off, kStart + 11ms, 6);
  EXPECT_EQ(health.wake_at(), kStart + 110ms) << "probes go on";
}

TEST(BackendHealth, ResultsOfItsLastJobsDoNotEndAnOutage) {
  BackendHealth health(8, false);
  ended(health, unreachable);
  for (const auto news : {reached, answered, overloaded, none}) {
    EXPECT_FALSE(ended(health, news));
    EXPECT_EQ(health.state(), State::unreachable);
    EXPECT_FALSE(health.reached());
  }
}

TEST(BackendHealth, WhereJobsAreNotHeldItStaysUp) {
  BackendHealth health(8, false);
  EXPECT_FALSE(health.attempt_ended({.news = unreachable, .why = "refused"}, 1, /*hold=*/false, kStart, 1));
  EXPECT_EQ(health.state(), State::up);
  EXPECT_FALSE(health.reached());
  ended(health, answered);
  EXPECT_TRUE(health.reached());
}

TEST(BackendHealth, ProbesComeAfterAFifthOfTheTimeItHasBeenAwayForTwoSecondsAtMost) {
  BackendHealth health(8, false);
  ended(health, unreachable);
  const auto pause_after = [&](std::chrono::milliseconds away, double draw) {
    health.probe_begins();
    EXPECT_EQ(health.wake_at(), std::nullopt) << "a probe is under way";
    health.probe_failed("still refused", kStart + away, draw);
    return *health.wake_at() - (kStart + away);
  };
  EXPECT_EQ(pause_after(100ms, 1), 100ms);
  EXPECT_EQ(pause_after(5s, 1), 1s);
  EXPECT_EQ(pause_after(5s, 0), 500ms);
  EXPECT_EQ(pause_after(1h, 1), 2s);
  EXPECT_EQ(health.why(), "still refused");
}

TEST(BackendHealth, AfterAnOutageItGetsOneJobAndOneMoreForEachAnswer) {
  BackendHealth health(4, false);
  ended(health, unreachable);
  health.recover(/*posted=*/0);
  EXPECT_EQ(health.state(), State::up);
  EXPECT_TRUE(health.reached());
  EXPECT_EQ(health.limit(), 1);
  ended(health, answered);
  EXPECT_EQ(health.limit(), 2);
  for (const auto news : {reached, overloaded, none}) ended(health, news);
  EXPECT_EQ(health.limit(), 2);
  ended(health, answered);
  EXPECT_EQ(health.limit(), 3);
  ended(health, answered);
  EXPECT_EQ(health.limit(), kNoLimit);
}

TEST(BackendHealth, JobsThatItStillHasDoNotCountAgainstTheFirst) {
  BackendHealth health(8, false);
  ended(health, unreachable);
  health.recover(/*posted=*/3);
  EXPECT_EQ(health.limit(), 4);
}

TEST(BackendHealth, ABackendThatAsksForAPauseGetsNoJobsForThatTime) {
  BackendHealth health(8, false);
  EXPECT_TRUE(asked_to_wait_for(health, 3s));
  EXPECT_EQ(health.state(), State::paused);
  EXPECT_EQ(health.limit(), 0);
  EXPECT_EQ(health.wake_at(), kStart + 3s);
  EXPECT_FALSE(asked_to_wait_for(health, 5s, kStart + 1s));
  EXPECT_EQ(health.wake_at(), kStart + 6s) << "the longest counts";
  EXPECT_FALSE(asked_to_wait_for(health, 1s, kStart + 2s));
  EXPECT_EQ(health.wake_at(), kStart + 6s);
  EXPECT_EQ(health.since(), kStart);
}

TEST(BackendHealth, APauseHasALeastLength) {
  BackendHealth health(8, false);
  asked_to_wait_for(health, 0ms);
  EXPECT_EQ(health.wake_at(), kStart + 100ms);
}

TEST(BackendHealth, AnUnreachableBackendDoesNotBecomePaused) {
  BackendHealth health(8, false);
  ended(health, unreachable);
  EXPECT_FALSE(asked_to_wait_for(health, 10s));
  EXPECT_EQ(health.state(), State::unreachable);
  EXPECT_EQ(health.wake_at(), kStart + 100ms);
  EXPECT_FALSE(health.reached()) << "only a probe says that it is back";
}

TEST(BackendHealth, APausedBackendMayBecomeUnreachable) {
  BackendHealth health(8, false);
  asked_to_wait_for(health, 10s);
  EXPECT_TRUE(ended(health, unreachable, kStart + 1s));
  EXPECT_EQ(health.state(), State::unreachable);
  EXPECT_EQ(health.since(), kStart + 1s);
  EXPECT_EQ(health.wake_at(), kStart + 1s + 100ms);
}

TEST(BackendHealth, WithAnAdaptiveLimitItStartsLowAndObeysTheCeiling) {
  BackendHealth health(100, true);
  const int first = health.limit();
  EXPECT_LT(first, 100);
  EXPECT_EQ(health.shown_limit(), first);
  health.configure(1, true);
  EXPECT_EQ(health.limit(), 1);
  health.configure(100, false);
  EXPECT_EQ(health.limit(), kNoLimit);
}

TEST(BackendHealth, AnOverloadLowersAnAdaptiveLimit) {
  BackendHealth health(100, true);
  const auto work = [&](BackendNews news, int jobs) {
    for (int i = 0; i < jobs; ++i) {
      health.attempt_ended({.news = news, .function = &health, .took = 10ms}, 50, true, kStart, 0);
    }
  };
  work(answered, 300);
  const int grown = health.limit();
  EXPECT_GT(grown, 10);
  work(overloaded, 300);
  EXPECT_LT(health.limit(), grown);
}

TEST(BackendHealth, OneAbsentApplicationIsASuspicionThatANewJobDecides) {
  BackendHealth health(8, false);
  EXPECT_FALSE(ended_after(health, absent, 1ms, kStart, /*posted=*/8));
  EXPECT_EQ(health.state(), State::up) << "it may be the job's fault";
  EXPECT_TRUE(health.reached());
  EXPECT_EQ(health.limit(), 8) << "seven jobs that still run, and a new one";
  EXPECT_TRUE(health.wants_new_job());
  EXPECT_FALSE(ended_after(health, answered, 5ms, kStart + 1ms, 8)) << "it was sent before";
  EXPECT_TRUE(health.wants_new_job());
  EXPECT_FALSE(ended_after(health, answered, 1ms, kStart + 2ms, 8));
  EXPECT_EQ(health.limit(), kNoLimit);
  EXPECT_FALSE(health.wants_new_job());
  EXPECT_EQ(health.wake_at(), std::nullopt);
}

TEST(BackendHealth, ASecondAbsenceConfirmsTheFirst) {
  BackendHealth health(8, false);
  ended_after(health, absent, 1ms, kStart, 8);
  EXPECT_FALSE(ended_after(health, absent, 5ms, kStart + 1ms, 7)) << "it was sent before";
  EXPECT_TRUE(ended_after(health, absent, 1ms, kStart + 2ms, 7));
  EXPECT_EQ(health.state(), State::absent);
  EXPECT_EQ(health.why(), "HTTP status 502");
  EXPECT_FALSE(health.reached());
  EXPECT_EQ(health.limit(), 0);
  EXPECT_EQ(health.wake_at(), kStart + 2ms + 100ms);
}

// Two jobs are held.
BackendHealth absent_endpoint() {
  BackendHealth health(8, false);
  ended_after(health, absent, 1ms, kStart);
  ended_after(health, absent, 0ms, kStart + 1ms);
  return health;
}

TEST(BackendHealth, HeldJobsProbeInTurnsAndThenANewOne) {
  BackendHealth health = absent_endpoint();
  auto now = kStart + 100ms;
  std::string turns;
  for (int i = 0; i < 9; ++i, now += 100ms) {
    health.next_turn(/*posted=*/0, /*held=*/2, now, 1);
    EXPECT_EQ(health.limit(), 1);
    turns += health.wants_new_job() ? 'n' : 'h';
    health.job_is_sent();
    ended_after(health, absent, 0ms, now);
    EXPECT_EQ(health.limit(), 0);
  }
  EXPECT_EQ(turns, "hhnhhnhhn");
}

TEST(BackendHealth, AHeldJobTakesTheTurnForWhichNoNewOneComes) {
  BackendHealth health = absent_endpoint();
  health.next_turn(0, 1, kStart + 100ms, 1);
  ended_after(health, absent, 0ms, kStart + 100ms);
  health.next_turn(0, 1, kStart + 200ms, 1);
  EXPECT_TRUE(health.wants_new_job());
  EXPECT_EQ(health.wake_at(), kStart + 300ms);
  health.next_turn(0, 1, kStart + 300ms, 1);
  EXPECT_FALSE(health.wants_new_job());
  EXPECT_EQ(health.limit(), 1);
}

TEST(BackendHealth, NewJobsDecideASuspicionAsLongAsTheyCome) {
  BackendHealth health(8, false);
  ended_after(health, absent, 1ms, kStart, 1);
  health.job_is_sent();
  health.next_turn(/*posted=*/1, /*held=*/1, kStart + 100ms, 1);
  EXPECT_TRUE(health.wants_new_job()) << "one is on its way";
  EXPECT_EQ(health.wake_at(), kStart + 100ms + 2s);
}

TEST(BackendHealth, AProbeWithoutAnAnswerDoesNotKeepTheNextFromItsTurn) {
  BackendHealth health = absent_endpoint();
  health.next_turn(0, 2, kStart + 100ms, 1);
  EXPECT_EQ(health.wake_at(), kStart + 100ms + 2s);
  health.next_turn(1, 1, kStart + 2100ms, 1);
  EXPECT_EQ(health.limit(), 2);
}

TEST(BackendHealth, AProbeThatEndsWithoutNewsIsFollowedByAnother) {
  for (const auto news : {none, no_answer, full}) {
    BackendHealth health = absent_endpoint();
    health.next_turn(0, 2, kStart + 100ms, 1);
    EXPECT_FALSE(ended_after(health, news, 10ms, kStart + 110ms));
    EXPECT_EQ(health.state(), State::absent);
    EXPECT_EQ(health.limit(), 0);
    EXPECT_EQ(health.wake_at(), kStart + 110ms + 100ms);
  }
}

TEST(BackendHealth, AnyAnswerToAProbeEndsTheAbsence) {
  for (const auto news : {answered, reached, overloaded, BackendNews::empty}) {
    BackendHealth health = absent_endpoint();
    health.next_turn(0, 2, kStart + 100ms, 1);
    EXPECT_FALSE(ended_after(health, answered, 1s, kStart + 101ms)) << "it was sent before";
    EXPECT_TRUE(ended_after(health, news, 1ms, kStart + 101ms));
    EXPECT_EQ(health.state(), State::up);
    EXPECT_TRUE(health.reached());
    EXPECT_EQ(health.limit(), 1) << "it comes back carefully";
    EXPECT_EQ(health.wake_at(), std::nullopt);
  }
}

TEST(BackendHealth, AnAbsenceEndsWhenNoJobIsLeftThatCouldShowIt) {
  BackendHealth health = absent_endpoint();
  health.next_turn(/*posted=*/1, /*held=*/0, kStart + 100ms, 1);
  EXPECT_EQ(health.state(), State::absent) << "a job is on its way";
  health.next_turn(/*posted=*/0, /*held=*/0, kStart + 2100ms, 1);
  EXPECT_EQ(health.state(), State::up);
  EXPECT_TRUE(health.is_untried());
  EXPECT_EQ(health.limit(), 1) << "the next job alone shows whether the application is back";
  EXPECT_EQ(health.wake_at(), std::nullopt);
  ended_after(health, none, 1ms, kStart + 2200ms);
  EXPECT_TRUE(health.is_untried()) << "that job has shown nothing";
  ended_after(health, answered, 1ms, kStart + 2300ms);
  EXPECT_FALSE(health.is_untried());
}

TEST(BackendHealth, ASuspicionOfWhichNoJobIsLeftChangesNothing) {
  BackendHealth health(8, false);
  ended_after(health, absent, 1ms, kStart, 1);
  health.next_turn(0, 0, kStart + 100ms, 1);
  EXPECT_TRUE(health.works());
  EXPECT_FALSE(health.is_untried());
  EXPECT_EQ(health.limit(), kNoLimit);
}

TEST(BackendHealth, AnAbsentBackendMayBecomeUnreachable) {
  BackendHealth health = absent_endpoint();
  health.next_turn(0, 2, kStart + 100ms, 1);
  EXPECT_TRUE(ended_after(health, unreachable, 1ms, kStart + 101ms));
  EXPECT_EQ(health.state(), State::unreachable);
  EXPECT_FALSE(health.is_probed_by_jobs());
}

TEST(BackendHealth, AnAbsentBackendMayAskForAPause) {
  BackendHealth health = absent_endpoint();
  EXPECT_TRUE(asked_to_wait_for(health, 3s, kStart + 50ms));
  EXPECT_EQ(health.state(), State::paused);
  EXPECT_EQ(health.wake_at(), kStart + 3050ms);
}

TEST(BackendHealth, AbsenceChangesNothingWhereJobsAreNotHeld) {
  BackendHealth health(8, false);
  health.attempt_ended({.news = absent, .why = "HTTP status 502"}, 1, /*hold=*/false, kStart, 1);
  EXPECT_EQ(health.limit(), kNoLimit);
}

TEST(BackendHealth, ASuspicionLeavesTheWindowOfARecoveryAsItWas) {
  BackendHealth health(8, false);
  ended(health, unreachable);
  health.recover(0);
  ended_after(health, answered, 1ms, kStart);
  EXPECT_EQ(health.limit(), 2);
  ended_after(health, absent, 1ms, kStart + 1ms);
  ended_after(health, answered, 1ms, kStart + 3ms);
  EXPECT_EQ(health.limit(), 2);
}

TEST(BackendHealth, ItKnowsWhetherALaterJobHasSucceeded) {
  BackendHealth health(8, false);
  EXPECT_FALSE(health.has_succeeded_since(kStart));
  ended_after(health, answered, 5ms, kStart + 5ms);
  EXPECT_FALSE(health.has_succeeded_since(kStart)) << "it was sent then, not later";
  ended_after(health, reached, 0ms, kStart + 6ms);
  EXPECT_FALSE(health.has_succeeded_since(kStart)) << "that was no success";
  ended_after(health, answered, 1ms, kStart + 7ms);
  EXPECT_TRUE(health.has_succeeded_since(kStart));
  EXPECT_FALSE(health.has_succeeded_since(kStart + 6ms));
}

TEST(BackendHealth, AFullBackendHasAsManyJobsAsItHasTaken) {
  BackendHealth health(16, false);
  EXPECT_FALSE(ended_after(health, full, 0ms, kStart, /*posted=*/6));
  EXPECT_EQ(health.state(), State::up);
  EXPECT_TRUE(health.is_full(kStart));
  EXPECT_EQ(health.limit(), 5);
  EXPECT_EQ(health.shown_limit(), 5);
  ended_after(health, full, 0ms, kStart, 8);
  EXPECT_EQ(health.limit(), 5) << "more connections ended before the last was tried";
}

TEST(BackendHealth, TheLimitOfAFullOneGrowsByOneASecondWhileItIsUsedUp) {
  BackendHealth health(8, false);
  ended_after(health, full, 0ms, kStart, 6);
  ended_after(health, answered, 1ms, kStart + 999ms, 5);
  EXPECT_EQ(health.limit(), 5) << "too soon";
  ended_after(health, answered, 1ms, kStart + 1s, 4);
  EXPECT_EQ(health.limit(), 5) << "it is not used up";
  ended_after(health, answered, 1ms, kStart + 1s, 5);
  EXPECT_EQ(health.limit(), 6);
  ended_after(health, answered, 1ms, kStart + 1s, 6);
  EXPECT_EQ(health.limit(), 6) << "by one a second";
  ended_after(health, answered, 1ms, kStart + 2s, 6);
  ended_after(health, answered, 1ms, kStart + 3s, 7);
  EXPECT_EQ(health.limit(), kNoLimit);
  EXPECT_FALSE(health.is_full(kStart + 3s));
}

TEST(BackendHealth, TheLimitOfAFullOneEndsAfterAMinuteWithoutARefusal) {
  BackendHealth health(16, false);
  ended_after(health, full, 0ms, kStart, 5);
  EXPECT_TRUE(health.is_full(kStart + 59s));
  EXPECT_FALSE(health.is_full(kStart + 60s)) << "also if no job came meanwhile";
  ended_after(health, full, 0ms, kStart + 50s, 8);
  EXPECT_TRUE(health.is_full(kStart + 60s));
  ended_after(health, answered, 1ms, kStart + 109s, 1);
  EXPECT_EQ(health.limit(), 4);
  ended_after(health, answered, 1ms, kStart + 110s, 1);
  EXPECT_EQ(health.limit(), kNoLimit);
}

TEST(BackendHealth, AFullOneThatWasAwayIsNoLongerFull) {
  BackendHealth health(16, false);
  ended_after(health, full, 0ms, kStart, 5);
  EXPECT_TRUE(ended_after(health, unreachable, 1ms, kStart + 1s, 1));
  health.recover(0);
  EXPECT_FALSE(health.is_full(kStart + 2s));
}

TEST(BackendHealth, TheLimitGrowsMoreSlowlyAfterEachRefusal) {
  BackendHealth health(16, false);
  ended_after(health, full, 0ms, kStart, 5);
  ended_after(health, answered, 1ms, kStart + 1s, 4);
  EXPECT_EQ(health.limit(), 5);
  ended_after(health, full, 0ms, kStart + 1s, 5);
  EXPECT_EQ(health.limit(), 4);
  ended_after(health, answered, 1ms, kStart + 2999ms, 4);
  EXPECT_EQ(health.limit(), 4);
  ended_after(health, answered, 1ms, kStart + 3s, 4);
  EXPECT_EQ(health.limit(), 5);
}

TEST(BackendHealth, OneThatIsFullWithoutAnyJobOfOursIsTriedAgainLater) {
  BackendHealth health(8, false);
  EXPECT_TRUE(ended_after(health, full, 0ms, kStart, /*posted=*/1));
  EXPECT_EQ(health.state(), State::unreachable);
}

TEST(BackendHealth, ASlowFailureToConnectMeansFullOnlyWhileOthersAreAnswered) {
  BackendHealth health(8, false);
  ended_after(health, answered, 1ms, kStart, 8);
  EXPECT_FALSE(ended_after(health, full, 5s, kStart + 4s, 8));
  EXPECT_EQ(health.limit(), 7);
  EXPECT_TRUE(ended_after(health, full, 5s, kStart + 6s, 7)) << "nobody was answered meanwhile";
  EXPECT_EQ(health.state(), State::unreachable);
}

TEST(BackendHealth, SeveralRefusalsAtOnceCountAsOne) {
  BackendHealth health(16, false);
  for (int times = 0; times < 3; ++times) ended_after(health, full, 0ms, kStart, 5);
  ended_after(health, answered, 1ms, kStart + 1s, 4);
  EXPECT_EQ(health.limit(), 5);
}

TEST(BackendHealth, AReloadKeepsWhatIsKnown) {
  BackendHealth health(8, false);
  health.configure(6, false);
  EXPECT_EQ(health.shown_limit(), 6);
  ended(health, answered);
  ended_after(health, full, 1ms, kStart, /*posted=*/3);
  const int limit = health.limit();
  EXPECT_LT(limit, 6);
  health.configure(6, false);
  EXPECT_EQ(health.limit(), limit);
}

TEST(BackendHealth, AReloadKeepsAnAdaptiveLimit) {
  BackendHealth health(100, false);
  health.configure(100, true);
  const int first = health.limit();
  EXPECT_LT(first, 100);
  for (int i = 0; i < 300; ++i) {
    health.attempt_ended({.news = answered, .function = &health, .took = 10ms}, 50, true, kStart, 0);
  }
  const int grown = health.limit();
  EXPECT_GT(grown, first);
  health.configure(100, true);
  EXPECT_EQ(health.limit(), grown);
}

TEST(BackendHealth, ARefusalAfter200MillisecondsIsSlow) {
  BackendHealth slow(8, false);
  EXPECT_TRUE(ended_after(slow, full, 200ms, kStart, /*posted=*/3));
  EXPECT_EQ(slow.state(), State::unreachable);
  BackendHealth busy(8, false);
  ended(busy, answered, kStart);
  EXPECT_FALSE(ended_after(busy, full, 300ms, kStart + 300ms, /*posted=*/3))
      << "others were answered meanwhile";
  EXPECT_EQ(busy.state(), State::up);
}

TEST(BackendHealth, APauseHasItsReason) {
  BackendHealth health(8, false);
  asked_to_wait_for(health, 1s);
  EXPECT_EQ(health.why(), "asks");
}

TEST(BackendHealth, ABackendUnderSuspicionThatBecomesUnreachableIsNotReached) {
  BackendHealth health(8, false);
  ended_after(health, absent, 1ms, kStart);
  EXPECT_TRUE(health.reached());
  EXPECT_TRUE(ended_after(health, unreachable, 1ms, kStart + 2ms));
  EXPECT_FALSE(health.reached());
}

TEST(BackendHealth, WhereJobsAreNotHeldAnAbsentOneDoesNotBecomeUnreachable) {
  BackendHealth health = absent_endpoint();
  health.attempt_ended({.news = unreachable, .why = "refused", .took = 1ms}, 1, /*hold=*/false, kStart + 10ms,
                       1);
  EXPECT_EQ(health.state(), State::absent);
}

TEST(BackendHealth, TheReasonOfAnAbsenceIsThatOfTheLastAnswer) {
  BackendHealth health = absent_endpoint();
  health.attempt_ended({.news = absent, .why = "HTTP status 503", .took = 1ms}, 1, true, kStart + 10ms, 1);
  EXPECT_EQ(health.why(), "HTTP status 503");
}

TEST(BackendHealth, AJobOfAnEarlierTurnDoesNotEndTheTurn) {
  BackendHealth health = absent_endpoint();
  health.next_turn(0, 2, kStart + 100ms, 1);
  ended_after(health, absent, 100ms, kStart + 150ms);
  EXPECT_EQ(health.limit(), 1);
}

TEST(BackendHealth, AJobSentWithTheFirstAbsenceCounts) {
  BackendHealth health(8, false);
  ended_after(health, absent, 1ms, kStart, 8);
  ended_after(health, answered, 1ms, kStart + 1ms, 8);
  EXPECT_EQ(health.limit(), kNoLimit);
}

TEST(BackendHealth, AnAnswerThatEndsAnAbsenceIsASuccess) {
  BackendHealth coped = absent_endpoint();
  coped.next_turn(0, 2, kStart + 100ms, 1);
  ended_after(coped, overloaded, 1ms, kStart + 102ms);
  EXPECT_FALSE(coped.has_succeeded_since(kStart));
  BackendHealth health = absent_endpoint();
  health.next_turn(0, 2, kStart + 100ms, 1);
  ended_after(health, answered, 1ms, kStart + 102ms);
  EXPECT_TRUE(health.has_succeeded_since(kStart + 100ms));
  EXPECT_FALSE(health.has_succeeded_since(kStart + 101ms));
}

TEST(BackendHealth, EachAbsenceBeginsWithTheTurnsOfHeldJobs) {
  BackendHealth health = absent_endpoint();
  auto now = kStart + 100ms;
  health.next_turn(0, 2, now, 1);
  ended_after(health, answered, 0ms, now);
  ended_after(health, absent, 0ms, now + 1ms);
  ended_after(health, absent, 0ms, now + 2ms);
  for (int turn = 0; turn < 2; ++turn) {
    now += 200ms;
    health.next_turn(0, 2, now, 1);
    EXPECT_FALSE(health.wants_new_job());
    ended_after(health, absent, 0ms, now);
  }
}

TEST(BackendHealth, AHeldJobDecidesASuspicionIfNoNewJobComes) {
  BackendHealth health(8, false);
  ended_after(health, absent, 1ms, kStart, 1);
  health.next_turn(/*posted=*/0, /*held=*/1, kStart + 100ms, 1);
  EXPECT_FALSE(health.wants_new_job());
  health.job_is_sent();
  health.next_turn(1, 1, kStart + 2100ms, 1);
  EXPECT_TRUE(health.wants_new_job()) << "the held job has no answer";
}

TEST(BackendHealth, ANewJobWithoutAnAnswerDoesNotKeepHeldOnesFromTheirTurn) {
  BackendHealth health = absent_endpoint();
  health.next_turn(0, 1, kStart + 100ms, 1);
  ended_after(health, absent, 0ms, kStart + 100ms);
  health.next_turn(0, 1, kStart + 200ms, 1);
  ASSERT_TRUE(health.wants_new_job());
  health.job_is_sent();
  health.next_turn(1, 1, kStart + 2300ms, 1);
  EXPECT_FALSE(health.wants_new_job());
  EXPECT_EQ(health.limit(), 2);
}

TEST(BackendHealth, GivesEmptyAnswersFromTheSecondToOneJobUntilNoneHasComeForAMinute) {
  BackendHealth health(4, false);
  const BackendHealth::Clock::time_point now{100s};
  health.empty_answer(false, now);
  health.empty_answer(false, now);
  EXPECT_FALSE(health.gives_empty_answers(now)) << "a reload kills several scripts";
  health.empty_answer(true, now);
  EXPECT_TRUE(health.gives_empty_answers(now + 59s));
  health.empty_answer(false, now + 59s);
  EXPECT_TRUE(health.gives_empty_answers(now + 118s));
  EXPECT_FALSE(health.gives_empty_answers(now + 119s));
}

}  // namespace
}  // namespace driveshaft::dispatch
