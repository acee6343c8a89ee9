// SPDX-License-Identifier: MIT
#include "monitor/queue_waits.h"

#include <gtest/gtest.h>

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;

// Readings of one function, three seconds apart.
class Waits : public testing::Test {
 protected:
  // For how long jobs have waited, after a reading with that number.
  std::optional<std::chrono::seconds> read(std::uint64_t queued, std::uint64_t workers = 1) {
    QueueReport report;
    report.known = true;
    report.functions["f"] = {.queued = queued, .running = 5, .workers = workers};
    take(std::move(report));
    const auto since = last_.functions.at("f").waiting_since;
    if (!since) return std::nullopt;
    return std::chrono::duration_cast<std::chrono::seconds>(last_.at - *since);
  }

  void fail_to_read() { take({}); }

 private:
  void take(QueueReport report) {
    report.at = last_.at + 3s;
    note_waits(last_, report);
    last_ = std::move(report);
  }

  QueueReport last_;
};

TEST_F(Waits, LastAsLongAsTheQueueIsNotSeenEmpty) {
  EXPECT_EQ(read(0), std::nullopt);
  EXPECT_EQ(read(10), 0s);
  EXPECT_EQ(read(500), 3s);
  EXPECT_EQ(read(1), 6s);
  EXPECT_EQ(read(0), std::nullopt);
  EXPECT_EQ(read(1), 0s);
}

TEST_F(Waits, LastWhileNobodyTakesTheJobsAsWell) {
  read(1, 0);
  EXPECT_EQ(read(1, 0), 3s);
}

TEST(WaitsOfUnserved, LastAsTheWaitsOfFunctionsDo) {
  QueueReport before;
  before.known = true;
  before.unserved["f"] = {.queued = 1, .waiting_since = dispatch::SteadyTime(5s)};
  QueueReport now;
  now.at = dispatch::SteadyTime(8s);
  now.unserved["f"] = {.queued = 2};
  now.unserved["g"] = {.queued = 2};
  note_waits(before, now);
  EXPECT_EQ(now.unserved["f"].waiting_since, dispatch::SteadyTime(5s));
  EXPECT_EQ(now.unserved["g"].waiting_since, dispatch::SteadyTime(8s));
}

TEST_F(Waits, BeginAnewAfterAReadingThatFailed) {
  read(1);
  EXPECT_EQ(read(1), 3s);
  fail_to_read();
  EXPECT_EQ(read(1), 0s);
}

}  // namespace
}  // namespace driveshaft::monitor
