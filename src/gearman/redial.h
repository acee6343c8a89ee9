// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

namespace driveshaft::gearman {

// How long to wait before a gearmand that was lost, or could not be reached, is tried again. The wait doubles
// with each attempt. It grows to one second for a server that was connected within the last five minutes: it
// probably restarts, and its jobs wait. It grows to five seconds for a server that has been away longer, or
// was never connected. Pure: the caller gives the time and the random number.
class Redial {
 public:
  using Clock = std::chrono::steady_clock;

  // A connection that has lasted for so long makes the waits begin at the shortest again: call reset().
  static constexpr std::chrono::seconds kHasLasted{5};

  // The next wait. `seen`: when the server was last connected, if ever. `draw`: a random number from [0, 1),
  // which draws the wait from its upper half, so that links that lost the server together do not dial it
  // together.
  std::chrono::milliseconds next(Clock::time_point now, std::optional<Clock::time_point> seen, double draw);
  void reset();

 private:
  int attempts_ = 0;
};

}  // namespace driveshaft::gearman
