// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "net/asio.h"

// Unexpected exceptions. Such an exception leaves the run() of the loop whose handler or coroutine threw it,
// so it is always logged. In the main loop it ends the process, because the state of jobs cannot be trusted
// any more. The admin thread's loop goes on, because no job depends on that thread.
namespace driveshaft::net {

// The completion handler of every co_spawn(). Any other completion handler calls it first.
inline constexpr auto kRethrow = [](const std::exception_ptr& bug) {
  if (bug) std::rethrow_exception(bug);
};

// Logs `bug` as one that happened in `where`.
void log_exception(const std::exception_ptr& bug, const std::string& where);

// Runs `loop` until it is stopped or has nothing more to do. An exception is logged as one of `where`.
void run_past_exceptions(asio::io_context& loop, const std::string& where);

// For a coroutine that has to go on, such as one that accepts connections. Runs `body()`. If an exception
// ends it, the exception is logged as one of `where`, and `body()` runs again after a second.
template <class Body>
asio::awaitable<void> restarted(std::string where, Body body) {
  asio::steady_timer pause(co_await asio::this_coro::executor);
  while (true) {
    std::exception_ptr bug;
    try {
      co_await body();
      co_return;
    } catch (...) {
      bug = std::current_exception();
    }
    log_exception(bug, where);
    pause.expires_after(std::chrono::seconds(1));
    co_await pause.async_wait(kResult);
  }
}

}  // namespace driveshaft::net
