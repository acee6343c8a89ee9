// SPDX-License-Identifier: MIT
#include "dispatch/adaptive_limit.h"

#include <algorithm>
#include <cmath>

#include "base/seconds.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;

constexpr double kFirstLimit = 4;
constexpr double kTolerance = 1.5;  // latencies vary even without a queue
constexpr double kSmoothing = 0.5;  // how much of a new limit is taken over at once
constexpr int kLeastWindow = 10;    // a window has at least so many results
// A window has failed if more than this share of its results is overloaded.
constexpr double kOverloaded = 0.1;
constexpr double kBackOff = 0.8;
constexpr auto kProbeEvery = 30s;

}  // namespace

AdaptiveLimit::AdaptiveLimit(int ceiling) : ceiling_(ceiling), limit_(kFirstLimit) {}

void AdaptiveLimit::set_ceiling(int ceiling) { ceiling_ = ceiling; }

int AdaptiveLimit::limit() const {
  const double now = probing_ ? limit_ / 2 : limit_;
  return std::clamp(static_cast<int>(now), 1, std::max(ceiling_, 1));
}

void AdaptiveLimit::on_result(const void* function, Clock::duration latency, bool overloaded, int in_use,
                              Clock::time_point now) {
  if (to_skip_ > 0) {
    --to_skip_;
    return;
  }
  ++count_;
  most_in_use_ = std::max(most_in_use_, in_use);
  if (overloaded) {
    ++overloaded_;
  } else {
    Function& window = functions_[function];
    window.sum += base::seconds(latency);
    ++window.count;
  }
  if (count_ >= std::max(kLeastWindow, limit())) end_window(now);
}

void AdaptiveLimit::end_window(Clock::time_point now) {
  double ratios = 0;
  int compared = 0;
  for (auto& [_, function] : functions_) {
    if (function.count == 0) continue;
    const double mean = std::max(function.sum / function.count, 1e-6);
    if (function.base == 0) {
      function.base = mean;
    } else if (probing_) {
      function.base = (function.base + mean) / 2;
    }
    ratios += function.count * mean / function.base;
    compared += function.count;
    function.sum = 0;
    function.count = 0;
  }
  const bool was_limited = 2 * most_in_use_ >= limit();
  const bool too_many_failures = overloaded_ > kOverloaded * count_;
  const int before = limit();
  if (too_many_failures) {
    limit_ *= kBackOff;
  } else if (!probing_ && compared > 0) {
    const double gradient = std::clamp(kTolerance * compared / ratios, 0.5, 1.0);
    const double wanted = limit_ * gradient + std::sqrt(limit_);
    if (wanted < limit_ || was_limited) limit_ += kSmoothing * (wanted - limit_);
  }
  limit_ = std::clamp(limit_, 1.0, static_cast<double>(std::max(ceiling_, 1)));
  if (probing_) last_probe_ = now;
  probing_ = !probing_ && now - last_probe_ >= kProbeEvery;
  count_ = overloaded_ = most_in_use_ = 0;
  to_skip_ = std::abs(limit() - before) > before / 4 ? before : 0;
}

}  // namespace driveshaft::dispatch
