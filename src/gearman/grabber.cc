// SPDX-License-Identifier: MIT
#include "gearman/grabber.h"

#include <algorithm>

namespace driveshaft::gearman {
namespace {

using std::chrono::milliseconds;

// A NOOP that comes sooner than this after PRE_SLEEP was sent for a job that cannot be grabbed yet, or for a
// job that another worker has grabbed meanwhile. So only several of them in a row show that the sequence will
// not end.
constexpr milliseconds kAtOnce{5};
constexpr int kFutileWakesAllowed = 3;
constexpr milliseconds kFirstBackoff{10};
constexpr milliseconds kLongestBackoff{1000};

// The Perl server may forget that a connection sleeps, so there the poll is so many times as frequent.
constexpr int kPollsAtPerl = 7;

milliseconds backoff_after(int futile_wakes) {
  const int doublings = std::min(futile_wakes - kFutileWakesAllowed - 1, 7);
  return std::min(kFirstBackoff * (1 << doublings), kLongestBackoff);
}

}  // namespace

int Grabber::grabs_wanted() const {
  if (state_ != State::awake || draining_) return 0;
  return std::max(burst_ - outstanding_, 0);
}

void Grabber::granted(int count) { outstanding_ += count; }

void Grabber::wake_grab_granted() {
  state_ = State::awake;
  granted(1);
}

bool Grabber::on_job() {
  if (outstanding_ == 0) return false;
  --outstanding_;
  grab_understood_ = true;
  burst_ = std::min(burst_ * 2, kMaxBurst);
  futile_wakes_ = 0;
  return true;
}

Grabber::OnNoJob Grabber::on_no_job(Clock::time_point now) {
  if (outstanding_ == 0) return OnNoJob::unexpected;
  --outstanding_;
  grab_understood_ = true;
  burst_ = 1;
  if (outstanding_ > 0 || draining_) return OnNoJob::nothing;
  state_ = State::asleep;
  slept_at_ = now;
  return OnNoJob::send_pre_sleep;
}

Grabber::OnError Grabber::on_error() {
  if (grab_understood_ || outstanding_ == 0) return OnError::not_for_grab;
  if (dialect_ == Dialect::perl) return OnError::grabs_refused;
  --outstanding_;
  dialect_ = Dialect::perl;
  poll_ /= kPollsAtPerl;
  return OnError::fall_back;
}

bool Grabber::on_noop(Clock::time_point now) {
  if (state_ != State::asleep) return false;
  futile_wakes_ = now - slept_at_ < kAtOnce ? futile_wakes_ + 1 : 0;
  if (futile_wakes_ > kFutileWakesAllowed) {
    state_ = State::backing_off;
    backoff_until_ = now + backoff_after(futile_wakes_);
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
    case State::backing_off:
      return backoff_until_;
  }
  return std::nullopt;
}

void Grabber::on_time(Clock::time_point now) {
  if (const auto at = wake_at(); at && *at <= now) wake();
}

void Grabber::wake() { state_ = State::awake; }

}  // namespace driveshaft::gearman
