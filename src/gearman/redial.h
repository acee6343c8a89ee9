// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

namespace driveshaft::gearman {

// How long to wait before a gearmand that was lost, or could not be reached, is tried again. The wait doubles
// with each attempt, to one second for a server that was there within the last five minutes: it restarts, and
// its jobs wait. For one that has been away longer, or was never there, to five. Pure: time and chance are
// given.
class Redial {
 public:
  using Clock = std::chrono::steady_clock;

  // How long a connection must have held, for the next attempts to begin anew.
  static constexpr std::chrono::seconds kHasHeld{5};

  // `seen`: when the server was last there, if ever. `share`, from [0, 1), draws the wait from its upper
  // half, so that those who lost the server together do not come back together.
  std::chrono::milliseconds next(Clock::time_point now, std::optional<Clock::time_point> seen, double share);
  void reset();

 private:
  int attempts_ = 0;
};

}  // namespace driveshaft::gearman
