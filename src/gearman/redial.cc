// SPDX-License-Identifier: MIT
#include "gearman/redial.h"

#include <algorithm>

namespace driveshaft::gearman {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kFirst = 100ms;
constexpr std::chrono::milliseconds kMostWhileItRestarts = 1s;
constexpr std::chrono::milliseconds kMost = 5s;
constexpr auto kRestartsWithin = 5min;
constexpr int kMostDoublings = 6;  // 100 ms × 2⁶ is more than five seconds

}  // namespace

std::chrono::milliseconds Redial::next(Clock::time_point now, std::optional<Clock::time_point> seen,
                                       double draw) {
  const auto most = seen && now - *seen < kRestartsWithin ? kMostWhileItRestarts : kMost;
  const auto wait = std::min(kFirst * (1 << attempts_), most);
  attempts_ = std::min(attempts_ + 1, kMostDoublings);
  return wait / 2 + std::chrono::duration_cast<std::chrono::milliseconds>(draw * (wait / 2));
}

void Redial::reset() { attempts_ = 0; }

}  // namespace driveshaft::gearman
