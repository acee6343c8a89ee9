// SPDX-License-Identifier: MIT
#include "dispatch/breaker.h"

#include <algorithm>
#include <utility>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kFirstPause = 500ms;
constexpr std::chrono::milliseconds kLongestPause = 30s;

}  // namespace

void Breaker::configure(const config::BreakerSettings& settings) {
  if (settings == settings_) return;
  *this = Breaker(settings);
}

bool Breaker::attempt_ended(AttemptScore score, Clock::time_point began, int ceiling, Clock::time_point now) {
  if (score == AttemptScore::none) return false;
  const bool failed = score == AttemptScore::failure;
  if (state_ == State::closed) {
    if (!count(failed, now)) return false;
    since_ = now;
    open(now);
    return true;
  }
  if (began < opened_at_) return false;  // the attempt began before the breaker opened
  if (failed) {
    const bool was_open = is_open();
    if (state_ != State::open) open(now);
    return !was_open;
  }
  const bool first = is_open();
  if (first) {
    state_ = State::reclosing;
    wake_at_.reset();
  }
  if (++window_ >= ceiling) {
    const config::BreakerSettings settings = settings_;
    *this = Breaker(settings);
  }
  return first;
}

// Counts an attempt. True: too many attempts have failed.
bool Breaker::count(bool failed, Clock::time_point now) {
  const auto size = static_cast<std::size_t>(settings_.min_jobs);
  if (attempts_.size() < size) {
    attempts_.push_back({now, failed});
  } else {
    Attempt& oldest = attempts_[std::exchange(oldest_, (oldest_ + 1) % size)];
    failed_ -= oldest.failed ? 1 : 0;
    oldest = {now, failed};
  }
  failed_ += failed ? 1 : 0;
  return failed && attempts_.size() == size && failed_ >= settings_.failure_ratio * settings_.min_jobs &&
         now - attempts_[oldest_].ended <= settings_.window;
}

void Breaker::open(Clock::time_point now) {
  state_ = State::open;
  window_ = 0;
  opened_at_ = now;
  pause_ = pause_.count() == 0 ? kFirstPause : std::min(pause_ * 2, kLongestPause);
  wake_at_ = now + pause_;
}

void Breaker::try_one(int posted) {
  state_ = State::trying;
  window_ = posted + 1;
  wake_at_.reset();
}

}  // namespace driveshaft::dispatch
