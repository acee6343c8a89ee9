// SPDX-License-Identifier: MIT
#include "net/exceptions.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace driveshaft::net {
namespace {

using namespace std::chrono_literals;

asio::awaitable<void> fail() {
  throw std::runtime_error("a bug");
  co_return;  // makes a coroutine of it
}

TEST(Exceptions, AnExceptionOfACoroutineLeavesTheLoop) {
  asio::io_context loop;
  asio::co_spawn(loop, fail(), kRethrow);
  EXPECT_THROW(loop.run(), std::runtime_error);
}

TEST(Exceptions, ALoopThatContinuesRunsAllHandlers) {
  asio::io_context loop;
  int done = 0;
  asio::co_spawn(loop, fail(), kRethrow);
  asio::post(loop, [] { throw 7; });
  asio::post(loop, [&] { ++done; });
  run_past_exceptions(loop, "a test");
  EXPECT_EQ(done, 1);
}

TEST(Exceptions, ACoroutineThatIsRestartedGoesOnUntilItReturns) {
  asio::io_context loop;
  int runs = 0;
  const auto body = [&]() -> asio::awaitable<void> {
    if (++runs < 3) throw std::runtime_error("a bug");
    co_return;
  };
  const auto begin = std::chrono::steady_clock::now();
  asio::co_spawn(loop, restarted("a test", body), kRethrow);
  loop.run();
  EXPECT_EQ(runs, 3);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 2s) << "it does not spin";
}

}  // namespace
}  // namespace driveshaft::net
