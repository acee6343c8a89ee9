// SPDX-License-Identifier: MIT
#include "dispatch/endpoint_health.h"

#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using Clock = EndpointHealth::Clock;
using State = EndpointHealth::State;
using enum EndpointNews;

const Clock::time_point kStart = Clock::time_point(1000s);

bool ended(EndpointHealth& health, EndpointNews news, Clock::time_point now = kStart, int posted = 1) {
  return health.attempt_ended({.news = news, .why = "refused"}, posted, /*hold=*/true, now, 1);
}

bool asked_to_wait_for(EndpointHealth& health, std::chrono::milliseconds wait,
                       Clock::time_point now = kStart) {
  return health.attempt_ended({.news = asked_to_wait, .why = "asks", .wait = wait}, 1, true, now, 1);
}

TEST(EndpointHealth, NothingLimitsAnEndpointThatIsUp) {
  EndpointHealth health(8, false);
  EXPECT_EQ(health.state(), State::up);
  EXPECT_EQ(health.limit(), kNoLimit);
  EXPECT_EQ(health.shown_limit(), 8);
  for (const auto news : {answered, reached, overloaded, none}) EXPECT_FALSE(ended(health, news));
  EXPECT_EQ(health.limit(), kNoLimit);
  EXPECT_EQ(health.wake_at(), std::nullopt);
}

TEST(EndpointHealth, OneThatCannotBeReachedGetsNoJobsAndIsProbed) {
  EndpointHealth health(8, false);
  EXPECT_TRUE(ended(health, unreachable));
  EXPECT_FALSE(ended(health, unreachable)) << "that is known";
  EXPECT_EQ(health.state(), State::unreachable);
  EXPECT_EQ(health.limit(), 0);
  EXPECT_EQ(health.why(), "refused");
  EXPECT_EQ(health.since(), kStart);
  EXPECT_FALSE(health.reached());
  EXPECT_EQ(health.wake_at(), kStart + 100ms);
}

TEST(EndpointHealth, WhatItsLastJobsMetDoesNotEndAnOutage) {
  EndpointHealth health(8, false);
  ended(health, unreachable);
  for (const auto news : {reached, answered, overloaded, none}) {
    EXPECT_FALSE(ended(health, news));
    EXPECT_EQ(health.state(), State::unreachable);
    EXPECT_FALSE(health.reached());
  }
}

TEST(EndpointHealth, JobsThatDoNotWaitForItLeaveItUp) {
  EndpointHealth health(8, false);
  EXPECT_FALSE(health.attempt_ended({.news = unreachable, .why = "refused"}, 1, /*hold=*/false, kStart, 1));
  EXPECT_EQ(health.state(), State::up);
  EXPECT_FALSE(health.reached());
  ended(health, answered);
  EXPECT_TRUE(health.reached());
}

TEST(EndpointHealth, ProbesComeAfterAFifthOfTheTimeItHasBeenAwayForTwoSecondsAtMost) {
  EndpointHealth health(8, false);
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

TEST(EndpointHealth, ItComesBackWithOneJobAndOneMoreForEachAnswer) {
  EndpointHealth health(4, false);
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

TEST(EndpointHealth, JobsThatItStillHasAreBesideTheFirst) {
  EndpointHealth health(8, false);
  ended(health, unreachable);
  health.recover(/*posted=*/3);
  EXPECT_EQ(health.limit(), 4);
}

TEST(EndpointHealth, OneThatAskedForItIsLeftAloneForSoLong) {
  EndpointHealth health(8, false);
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

TEST(EndpointHealth, APauseHasALeastLength) {
  EndpointHealth health(8, false);
  asked_to_wait_for(health, 0ms);
  EXPECT_EQ(health.wake_at(), kStart + 100ms);
}

TEST(EndpointHealth, WhoeverCannotBeReachedNeedNotBeLeftAlone) {
  EndpointHealth health(8, false);
  ended(health, unreachable);
  EXPECT_FALSE(asked_to_wait_for(health, 10s));
  EXPECT_EQ(health.state(), State::unreachable);
  EXPECT_EQ(health.wake_at(), kStart + 100ms);
  EXPECT_TRUE(health.reached()) << "a job that it still had was answered";
}

TEST(EndpointHealth, OneThatIsPausedMayGoAway) {
  EndpointHealth health(8, false);
  asked_to_wait_for(health, 10s);
  EXPECT_TRUE(ended(health, unreachable, kStart + 1s));
  EXPECT_EQ(health.state(), State::unreachable);
  EXPECT_EQ(health.since(), kStart + 1s);
  EXPECT_EQ(health.wake_at(), kStart + 1s + 100ms);
}

TEST(EndpointHealth, WithAnAdaptiveLimitItStartsLowAndObeysTheCeiling) {
  EndpointHealth health(100, true);
  const int first = health.limit();
  EXPECT_LT(first, 100);
  EXPECT_EQ(health.shown_limit(), first);
  health.configure(1, true, false);
  EXPECT_EQ(health.limit(), 1);
  health.configure(100, false, false);
  EXPECT_EQ(health.limit(), kNoLimit);
}

TEST(EndpointHealth, AnOverloadLowersAnAdaptiveLimit) {
  EndpointHealth health(100, true);
  const auto work = [&](EndpointNews news, int jobs) {
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

}  // namespace
}  // namespace driveshaft::dispatch
