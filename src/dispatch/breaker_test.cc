// SPDX-License-Identifier: MIT
#include "dispatch/breaker.h"

#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using Clock = Breaker::Clock;
using State = Breaker::State;
using enum AttemptScore;

const Clock::time_point kStart = Clock::time_point(1000s);
constexpr int kSlots = 8;

config::BreakerSettings settings(double ratio = 1, int min_jobs = 20) {
  return {.on = true, .failure_ratio = ratio, .min_jobs = min_jobs, .window = 10s};
}

bool ended(Breaker& breaker, AttemptScore score, Clock::time_point now = kStart) {
  return breaker.attempt_ended(score, now, kSlots, now);
}

// A breaker that has just opened, at kStart.
Breaker opened() {
  Breaker breaker(settings());
  for (int i = 0; i < 20; ++i) ended(breaker, failure);
  return breaker;
}

TEST(Breaker, OpensWhenEnoughAttemptsHaveFailed) {
  Breaker breaker(settings());
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(ended(breaker, failure));
  EXPECT_EQ(breaker.window(), kNoLimit);
  EXPECT_TRUE(ended(breaker, failure));
  EXPECT_EQ(breaker.state(), State::open);
  EXPECT_TRUE(breaker.is_open());
  EXPECT_EQ(breaker.window(), 0);
  EXPECT_EQ(breaker.since(), kStart);
  EXPECT_EQ(breaker.failed(), 20);
  EXPECT_EQ(breaker.attempts(), 20);
}

TEST(Breaker, LooksAtTheLastAttempts) {
  Breaker breaker(settings(0.75, 4));
  for (const auto score : {success, success, failure, success, failure, success, failure}) {
    EXPECT_FALSE(ended(breaker, score)) << "two of four at most";
  }
  EXPECT_TRUE(ended(breaker, failure)) << "three of four";
  EXPECT_EQ(breaker.failed(), 3);
  EXPECT_EQ(breaker.attempts(), 4);
}

TEST(Breaker, EarlierSuccessesDoNotCount) {
  Breaker breaker(settings(1, 3));
  for (int i = 0; i < 1000; ++i) ended(breaker, success);
  EXPECT_FALSE(ended(breaker, failure));
  EXPECT_FALSE(ended(breaker, failure));
  EXPECT_TRUE(ended(breaker, failure));
}

TEST(Breaker, FailuresOutsideTheWindowDoNotCount) {
  Breaker breaker(settings(1, 3));
  ended(breaker, failure);
  ended(breaker, failure, kStart + 1s);
  EXPECT_FALSE(ended(breaker, failure, kStart + 10001ms));
  EXPECT_TRUE(ended(breaker, failure, kStart + 11s));
}

TEST(Breaker, AttemptsWithoutAScoreAreNotCounted) {
  Breaker breaker(settings(1, 2));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(ended(breaker, none));
  ended(breaker, failure);
  EXPECT_TRUE(ended(breaker, failure));
}

TEST(Breaker, TriesOneJobAfterPausesThatDouble) {
  Breaker breaker = opened();
  auto now = kStart;
  for (const auto pause : {500ms, 1000ms, 2000ms, 4000ms, 8000ms, 16000ms, 30000ms, 30000ms}) {
    EXPECT_EQ(breaker.wake_at(), now + pause);
    now += pause;
    breaker.try_one(/*posted=*/0);
    EXPECT_EQ(breaker.state(), State::trying);
    EXPECT_EQ(breaker.window(), 1);
    EXPECT_EQ(breaker.wake_at(), std::nullopt);
    EXPECT_FALSE(ended(breaker, failure, now)) << "that is known";
    EXPECT_EQ(breaker.window(), 0);
  }
}

TEST(Breaker, OneJobIsTriedBesideTheJobsThatStillRun) {
  Breaker breaker = opened();
  breaker.try_one(/*posted=*/3);
  EXPECT_EQ(breaker.window(), 4);
}

TEST(Breaker, AttemptsThatBeganBeforeItOpenedDoNotCount) {
  Breaker breaker = opened();
  breaker.try_one(1);
  EXPECT_FALSE(breaker.attempt_ended(success, kStart - 1s, kSlots, kStart + 1s));
  EXPECT_FALSE(breaker.attempt_ended(failure, kStart - 1s, kSlots, kStart + 1s));
  EXPECT_EQ(breaker.state(), State::trying);
}

TEST(Breaker, AfterASuccessEachAnswerAllowsOneMoreJob) {
  Breaker breaker = opened();
  breaker.try_one(0);
  EXPECT_TRUE(ended(breaker, success, kStart + 1s));
  EXPECT_EQ(breaker.state(), State::reclosing);
  EXPECT_FALSE(breaker.is_open());
  EXPECT_EQ(breaker.window(), 2);
  for (int i = 3; i < kSlots; ++i) {
    EXPECT_FALSE(ended(breaker, success, kStart + 1s));
    EXPECT_EQ(breaker.window(), i);
  }
  ended(breaker, success, kStart + 1s);
  EXPECT_EQ(breaker.state(), State::closed);
  EXPECT_EQ(breaker.window(), kNoLimit);
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(ended(breaker, failure, kStart + 1s)) << "it counts anew";
}

TEST(Breaker, AFailureWhileReclosingOpensItAgain) {
  Breaker breaker = opened();
  breaker.try_one(0);
  ended(breaker, success, kStart + 1s);
  EXPECT_TRUE(ended(breaker, failure, kStart + 2s));
  EXPECT_EQ(breaker.state(), State::open);
  EXPECT_EQ(breaker.wake_at(), kStart + 2s + 1s) << "its pause goes on growing";
}

TEST(Breaker, OtherSettingsCloseIt) {
  Breaker breaker = opened();
  breaker.configure(settings());
  EXPECT_TRUE(breaker.is_open());
  breaker.configure(settings(0.5));
  EXPECT_FALSE(breaker.is_open());
  EXPECT_EQ(breaker.window(), kNoLimit);
}

}  // namespace
}  // namespace driveshaft::dispatch
