// SPDX-License-Identifier: MIT
#include "base/deadlines.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

namespace driveshaft::base {
namespace {

using namespace std::chrono_literals;

struct Call final : Deadline {
  std::function<void()> action;
  int calls = 0;
  Clock::time_point called_at{};
  void on_deadline() override {
    ++calls;
    called_at = Clock::now();
    if (action) action();
  }
};

TEST(DeadlineWheel, CallsInOrderAndNeverEarly) {
  boost::asio::io_context loop;
  DeadlineWheel wheel(loop);
  Call soon, later;
  const auto start = Deadline::Clock::now();
  wheel.set(later, 150ms);
  wheel.set(soon, 20ms);
  loop.run();
  EXPECT_EQ(soon.calls, 1);
  EXPECT_EQ(later.calls, 1);
  EXPECT_GE(soon.called_at - start, 20ms);
  EXPECT_GE(later.called_at - start, 150ms);
  EXPECT_LT(soon.called_at, later.called_at);
}

TEST(DeadlineWheel, ClearedMovedAndDestroyedDeadlinesAreNotCalledAtTheirOldTime) {
  boost::asio::io_context loop;
  DeadlineWheel wheel(loop);
  Call cleared, moved, last;
  auto gone = std::make_unique<Call>();
  wheel.set(cleared, 10ms);
  wheel.set(moved, 10ms);
  wheel.set(*gone, 10ms);
  wheel.set(last, 120ms);
  wheel.set(moved, 120ms);
  cleared.clear();
  gone.reset();
  last.action = [&] { EXPECT_LE(moved.calls, 1); };
  const auto start = Deadline::Clock::now();
  loop.run();
  EXPECT_EQ(cleared.calls, 0);
  EXPECT_EQ(moved.calls, 1);
  EXPECT_GE(moved.called_at - start, 120ms);
  EXPECT_EQ(last.calls, 1);
}

TEST(DeadlineWheel, ACallMaySetItselfAgainAndDestroyOthers) {
  boost::asio::io_context loop;
  DeadlineWheel wheel(loop);
  auto victim = std::make_unique<Call>();
  Call again;
  again.action = [&] {
    victim.reset();
    if (again.calls < 3) wheel.set(again, 0ms);
  };
  wheel.set(again, 10ms);
  wheel.set(*victim, 10ms);
  loop.run();
  EXPECT_EQ(again.calls, 3);
}

TEST(DeadlineWheel, AnIdleLoopHasNothingToDo) {
  boost::asio::io_context loop;
  DeadlineWheel wheel(loop);
  Call once;
  wheel.set(once, 0ms);
  loop.run();  // returns: no timer is left running
  EXPECT_EQ(once.calls, 1);
  loop.restart();
  EXPECT_EQ(loop.poll(), 0U);
  wheel.set(once, 0ms);
  loop.restart();
  loop.run();
  EXPECT_EQ(once.calls, 2);
}

TEST(DeadlineWheel, ADeadlineBeyondOneTurnOfTheWheelIsNotEarly) {
  boost::asio::io_context loop;
  DeadlineWheel wheel(loop);
  Call far, near;
  wheel.set(far, 512 * DeadlineWheel::kTick + 20ms);  // the same bucket as 20 ms
  wheel.set(near, 20ms);
  near.action = [&] { loop.stop(); };
  loop.run();
  EXPECT_EQ(near.calls, 1);
  EXPECT_EQ(far.calls, 0);
}

}  // namespace
}  // namespace driveshaft::base
