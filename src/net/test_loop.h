// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "net/asio.h"

namespace driveshaft::net {

// For tests: runs the loop until `done()` holds. False: nothing is left that could bring this about, or ten
// seconds have passed.
template <class Done>
[[nodiscard]] bool run_until(asio::io_context& loop, Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done()) {
    loop.restart();
    if (loop.run_one_until(end) == 0) return false;
  }
  return true;
}

// For tests: runs every handler that is ready now, and those that they make ready.
inline void run_ready(asio::io_context& loop) {
  loop.restart();
  loop.poll();
}

}  // namespace driveshaft::net
