// SPDX-License-Identifier: MIT
#include "gearman/grabber.h"

#include <algorithm>

namespace driveshaft::gearman {
namespace {

using std::chrono::milliseconds;

// A NOOP sooner than this after PRE_SLEEP was not sent for a new job but for one that could not be grabbed
// either, unless another worker was quicker: so it takes a few in a row to call it a spin.
constexpr milliseconds kAtOnce{5};
constexpr int kVainWakesAllowed = 3;
constexpr milliseconds kFirstHold{10};
constexpr milliseconds kLongestHold{1000};

// At a server that forgets sleepers, the poll is so many times as frequent.
constexpr int kPollsAtPerl = 7;

milliseconds hold_for(int vain_wakes) {
  const int doublings = std::min(vain_wakes - kVainWakesAllowed - 1, 7);
  return std::min(kFirstHold * (1 << doublings), kLongestHold);
}

}  // namespace

int Grabber::wanted() const {
  if (state_ != State::awake || draining_) return 0;
  if (dry_ && outstanding_ > 0) return 0;
  return std::max(burst_ - outstanding_, 0);
}

void Grabber::granted(int count) {
  outstanding_ += count;
  dry_ = false;
}

void Grabber::granted_unsleep() {
  state_ = State::awake;
  granted(1);
}

bool Grabber::on_job() {
  if (outstanding_ == 0) return false;
  --outstanding_;
  understood_ = true;
  burst_ = std::min(burst_ * 2, kMaxBurst);
  dry_ = false;
  vain_wakes_ = 0;
  return true;
}

Grabber::OnNoJob Grabber::on_no_job(Clock::time_point now) {
  if (outstanding_ == 0) return OnNoJob::out_of_step;
  --outstanding_;
  understood_ = true;
  burst_ = 1;
  dry_ = true;
  if (outstanding_ > 0 || draining_) return OnNoJob::nothing;
  state_ = State::asleep;
  slept_at_ = now;
  return OnNoJob::send_pre_sleep;
}

Grabber::OnError Grabber::on_error() {
  if (understood_ || outstanding_ == 0) return OnError::of_another;
  if (dialect_ == Dialect::perl) return OnError::grabs_refused;
  --outstanding_;
  dialect_ = Dialect::perl;
  poll_ /= kPollsAtPerl;
  return OnError::fall_back;
}

bool Grabber::on_noop(Clock::time_point now) {
  if (state_ != State::asleep) return false;
  vain_wakes_ = now - slept_at_ < kAtOnce ? vain_wakes_ + 1 : 0;
  if (vain_wakes_ > kVainWakesAllowed) {
    state_ = State::held;
    held_until_ = now + hold_for(vain_wakes_);
  } else {
    wake();
  }
  return true;
}

std::optional<Grabber::Clock::time_point> Grabber::wake_at() const {
  switch (state_) {
    case State::awake:
      return std::nullopt;
    case State::asleep:
      return slept_at_ + poll_;
    case State::held:
      return held_until_;
  }
  return std::nullopt;
}

void Grabber::on_time(Clock::time_point now) {
  if (const auto at = wake_at(); at && *at <= now) wake();
}

void Grabber::wake() {
  state_ = State::awake;
  dry_ = false;
}

}  // namespace driveshaft::gearman
