// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace driveshaft::dispatch {

// A pause by an operator: a pool, or a function of it, takes no jobs. Running jobs finish.
struct Pause {
  std::chrono::steady_clock::time_point since;
  std::optional<std::chrono::steady_clock::time_point> until;  // nothing: until somebody resumes it
  std::string reason;                                          // printable; may be empty
};

// The pauses of one pool.
struct Pauses {
  std::optional<Pause> pool;
  std::map<std::string, Pause, std::less<>> functions;

  bool empty() const { return !pool && functions.empty(); }
};

}  // namespace driveshaft::dispatch
