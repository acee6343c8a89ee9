// SPDX-License-Identifier: MIT
#include "gearman/redial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace driveshaft::gearman {
namespace {

using namespace std::chrono_literals;
using Clock = Redial::Clock;

const Clock::time_point kStart = Clock::time_point() + 1h;

std::vector<std::chrono::milliseconds> waits(std::optional<Clock::time_point> seen, double share, int count) {
  Redial redial;
  std::vector<std::chrono::milliseconds> found;
  found.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) found.push_back(redial.next(kStart, seen, share));
  return found;
}

TEST(Redial, GrowsToOneSecondForAServerThatWasConnected) {
  EXPECT_EQ(waits(kStart - 4min, 0, 6),
            (std::vector<std::chrono::milliseconds>{50ms, 100ms, 200ms, 400ms, 500ms, 500ms}));
}

TEST(Redial, GrowsToFiveSecondsForAServerThatWasAwayForFiveMinutesOrNeverConnected) {
  const std::vector<std::chrono::milliseconds> slow{50ms, 100ms, 200ms, 400ms, 800ms, 1600ms, 2500ms, 2500ms};
  EXPECT_EQ(waits(kStart - 5min, 0, 8), slow);
  EXPECT_EQ(waits(std::nullopt, 0, 8), slow);
}

TEST(Redial, IsDrawnFromTheUpperHalf) {
  EXPECT_EQ(waits(kStart, 0.5, 1).front(), 75ms);
  EXPECT_EQ(waits(kStart, 0.999999, 5).back(), 999ms);
}

TEST(Redial, GrowsAfterTheFiveMinutesAndBeginsAgainOnReset) {
  Redial redial;
  for (int i = 0; i < 100; ++i) redial.next(kStart, kStart, 0);
  EXPECT_EQ(redial.next(kStart + 4min, kStart, 0), 500ms);
  EXPECT_EQ(redial.next(kStart + 5min, kStart, 0), 2500ms);
  redial.reset();
  EXPECT_EQ(redial.next(kStart + 5min, kStart, 0), 50ms);
}

// How many attempts a gearmand that restarts gets, and how soon it has its workers again, if it answers every
// attempt at once.
struct Herd {
  std::size_t most_in_a_second =
      0;  // from a second after the loss on: of a moment that each link tries again
  std::vector<std::chrono::milliseconds> back;  // each link, after the server's return
};

Herd herd(int links, std::chrono::milliseconds away) {
  std::minstd_rand random(1);
  std::uniform_real_distribution<> share;
  std::vector<std::size_t> in_second(static_cast<std::size_t>(away / 1s) + 2);
  Herd found;
  found.back.reserve(static_cast<std::size_t>(links));
  for (int link = 0; link < links; ++link) {
    Redial redial;
    auto now = 0ms;
    while (true) {
      now += redial.next(kStart + now, kStart, share(random));
      if (now / 1s < std::ssize(in_second)) ++in_second[static_cast<std::size_t>(now / 1s)];
      if (now >= away) break;
    }
    found.back.push_back(now - away);
  }
  found.most_in_a_second = *std::max_element(in_second.begin() + 1, in_second.end());
  std::sort(found.back.begin(), found.back.end());
  return found;
}

// docs/operations.md has these numbers.
TEST(Redial, ThreeHundredDaemonsOfFourLinksAreSixteenHundredAttemptsASecond) {
  for (const auto away : {3s, 10s, 60s}) {
    const auto seen = herd(300 * 4, away);
    EXPECT_LT(seen.most_in_a_second, 2000U) << away.count();
    EXPECT_LT(seen.back[seen.back.size() / 2], 500ms) << away.count();
    EXPECT_LE(seen.back.back(), 1s) << away.count();
    RecordProperty("most_in_a_second_after_" + std::to_string(away.count()),
                   std::to_string(seen.most_in_a_second));
  }
}

}  // namespace
}  // namespace driveshaft::gearman
