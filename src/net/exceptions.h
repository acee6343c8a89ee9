// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "net/asio.h"

// What becomes of an exception that nobody expects. It leaves the run() of the loop whose handler or
// coroutine threw it, so that none is lost without a word. The main loop ends the process then, with an error
// in the log: the state of jobs is not trusted any more. The admin thread's loop logs it and goes on: no job
// depends on it.
namespace driveshaft::net {

// The completion of each co_spawn(), alone or called by another completion first of all.
inline constexpr auto kRethrow = [](const std::exception_ptr& bug) {
  if (bug) std::rethrow_exception(bug);
};

// Logs `bug` as one that happened in `where`.
void log_exception(const std::exception_ptr& bug, const std::string& where);

// Runs `loop` until it is stopped or has nothing more to do. An exception is logged as one of `where`.
void run_past_exceptions(asio::io_context& loop, const std::string& where);

// For a coroutine that has to go on, such as one that accepts connections: co_awaits `body()`, and does so
// again after a second when an exception has ended it, which is logged as one of `where`.
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
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace driveshaft::net
