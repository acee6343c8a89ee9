// SPDX-License-Identifier: MIT
#include "net/blocking_calls.h"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>

namespace driveshaft::net {
namespace {

using namespace std::chrono_literals;

struct BlockingCallsTest : ::testing::Test {
  asio::io_context loop;
  std::optional<BlockingCalls> calls{loop};

  // Runs the loop until `done`, for at most ten seconds.
  template <class Done>
  bool run_until(Done done) {
    const auto guard = asio::make_work_guard(loop);
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!done() && loop.run_one_until(end)) {
    }
    return done();
  }
};

TEST_F(BlockingCallsTest, TheLoopGetsTheResultOfAnotherThread) {
  std::thread::id where;
  bool interruptible = true;
  std::string result;
  calls->run(
      "call",
      [&] {
        where = std::this_thread::get_id();
        sigset_t blocked;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
        interruptible = sigismember(&blocked, SIGHUP) != 1;
        return std::string("found");
      },
      [&](std::string found) { result = std::move(found); });
  EXPECT_EQ(result, "") << "called from within";
  ASSERT_TRUE(run_until([&] { return !result.empty(); }));
  EXPECT_EQ(result, "found");
  EXPECT_NE(where, std::this_thread::get_id());
  EXPECT_FALSE(interruptible) << "a signal would interrupt the call";
}

TEST_F(BlockingCallsTest, AnExceptionIsThrownOnTheLoop) {
  const auto fails = []() -> int { throw std::runtime_error("a bug"); };
  calls->run("call", fails, [](int) { FAIL(); });
  EXPECT_THROW(run_until([] { return false; }), std::runtime_error);
}

TEST_F(BlockingCallsTest, ACallThatHangsDelaysNeitherOtherCallsNorTheEnd) {
  std::promise<void> release;
  const auto released =
      release.get_future().share();  // the thread has its own copy, and may outlive this test
  bool other = false;
  calls->run(
      "hangs",
      [released] {
        released.wait();
        return 0;
      },
      [](int) { FAIL(); });
  const auto ends = [] { return 0; };
  calls->run("call", ends, [&](int) { other = true; });
  EXPECT_TRUE(run_until([&] { return other; }));
  calls.reset();
  release.set_value();
  loop.restart();
  loop.poll();
}

TEST_F(BlockingCallsTest, AResultThatArrivesBeforeTheEndIsNotDeliveredAfterIt) {
  calls->post([] { FAIL(); });
  calls.reset();
  loop.run();
}

}  // namespace
}  // namespace driveshaft::net
