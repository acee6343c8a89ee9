// SPDX-License-Identifier: MIT
#include "dispatch/token_bucket.h"

#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;

constexpr TokenBucket::Clock::time_point kStart{};

int take_all(TokenBucket& bucket, TokenBucket::Clock::time_point now) {
  int taken = 0;
  for (; bucket.available(now) > 0; ++taken) bucket.take();
  return taken;
}

TEST(TokenBucket, StartsWithASecondsWorthAndRefillsAtItsRate) {
  TokenBucket bucket(50, kStart);
  EXPECT_EQ(take_all(bucket, kStart), 50);
  EXPECT_EQ(take_all(bucket, kStart + 10ms), 0);
  EXPECT_EQ(take_all(bucket, kStart + 100ms), 5);
  EXPECT_EQ(take_all(bucket, kStart + 1h), 50) << "it holds no more than a second's worth";
}

TEST(TokenBucket, HoldsAtLeastOneToken) {
  TokenBucket bucket(0.5, kStart);
  EXPECT_EQ(take_all(bucket, kStart), 1);
  EXPECT_EQ(take_all(bucket, kStart + 1900ms), 0);
  EXPECT_EQ(take_all(bucket, kStart + 2s), 1);
}

TEST(TokenBucket, SaysHowLongToWait) {
  TokenBucket bucket(10, kStart);
  take_all(bucket, kStart);
  EXPECT_EQ(bucket.wait_for(1), 100ms);
  EXPECT_EQ(bucket.wait_for(3), 300ms);
  EXPECT_EQ(bucket.wait_for(0), 0ms);
}

TEST(TokenBucket, TokensBelowZeroAreMadeUpForLater) {
  TokenBucket bucket(10, kStart);
  take_all(bucket, kStart);
  bucket.take();
  EXPECT_EQ(bucket.available(kStart + 100ms), 0);
  EXPECT_EQ(bucket.available(kStart + 200ms), 1);
}

}  // namespace
}  // namespace driveshaft::dispatch
