// SPDX-License-Identifier: MIT
#include "dispatch/endpoint_health.h"

#include <algorithm>
#include <utility>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// Probes come when it has been away for a fifth longer than at the last one, within these bounds: what was
// away for five seconds is found again within one.
constexpr milliseconds kFirstProbe = 100ms;
constexpr milliseconds kLastProbe = 2s;
constexpr int kProbeShare = 5;
// The least pause: an endpoint that asks for none at all would be asked again without end.
constexpr milliseconds kLeastPause = 100ms;

}  // namespace

EndpointHealth::EndpointHealth(int ceiling, bool adaptive) : ceiling_(ceiling) {
  if (adaptive) adaptive_.emplace(ceiling);
}

void EndpointHealth::configure(int ceiling, bool adaptive, bool replaced) {
  ceiling_ = ceiling;
  if (!adaptive) {
    adaptive_.reset();
  } else if (replaced || !adaptive_) {
    adaptive_.emplace(ceiling);
  } else {
    adaptive_->set_ceiling(ceiling);
  }
}

int EndpointHealth::limit() const {
  if (state_ != State::up) return 0;
  return adaptive_ ? std::min(window_, adaptive_->limit()) : window_;
}

bool EndpointHealth::attempt_ended(const Attempt& attempt, int posted, bool hold, Clock::time_point now,
                                   double draw) {
  if (attempt.news == EndpointNews::none) return false;
  // While it is probed the probes have the last word, not the jobs that it still had.
  reached_ = state_ != State::unreachable && attempt.news != EndpointNews::unreachable;
  if (attempt.news == EndpointNews::asked_to_wait) {
    if (state_ == State::unreachable) return false;
    const auto until = now + std::max(attempt.wait, kLeastPause);
    wake_at_ = std::max(wake_at_.value_or(until), until);
    if (std::exchange(state_, State::paused) == State::paused) return false;
    since_ = now;
    why_ = attempt.why;
    return true;
  }
  if (attempt.news == EndpointNews::unreachable && hold) {
    if (std::exchange(state_, State::unreachable) == State::unreachable) return false;
    since_ = now;
    why_ = attempt.why;
    schedule_probe(now, draw);
    return true;
  }
  if (adaptive_) {
    adaptive_->on_result(attempt.function, attempt.took, attempt.news == EndpointNews::overloaded, posted,
                         now);
  }
  const bool recovers = window_ != kNoLimit && state_ == State::up;
  if (recovers && attempt.news == EndpointNews::answered && ++window_ >= ceiling_) window_ = kNoLimit;
  return false;
}

void EndpointHealth::forget(const void* function) {
  if (adaptive_) adaptive_->forget(function);
}

void EndpointHealth::schedule_probe(Clock::time_point now, double draw) {
  const auto away = std::chrono::floor<milliseconds>(now - since_);
  const auto longest = std::clamp(away / kProbeShare, kFirstProbe, kLastProbe);
  wake_at_ = now + longest / 2 + std::chrono::floor<milliseconds>(draw * (longest / 2));
}

void EndpointHealth::probe_failed(std::string why, Clock::time_point now, double draw) {
  why_ = std::move(why);
  schedule_probe(now, draw);
}

void EndpointHealth::recover(int posted) {
  state_ = State::up;
  reached_ = true;
  wake_at_.reset();
  window_ = posted + 1;
}

}  // namespace driveshaft::dispatch
