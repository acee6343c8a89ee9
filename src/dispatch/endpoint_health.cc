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

// A connection that fails within this time was refused.
constexpr milliseconds kRefusedAtOnce = 200ms;
// When the limit of a full endpoint grows by one.
constexpr milliseconds kCapacityGrowsAfter = 1s;
constexpr milliseconds kCapacityGrowsAtLeastAfter = 30s;

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
  if (replaced) {
    capacity_ = kNoLimit;
    success_began_at_ = {};
  }
}

int EndpointHealth::limit() const {
  if (state_ == State::unreachable || state_ == State::paused) return 0;
  if (state_ == State::absent && turn_ == Turn::of_nobody) return 0;
  const int limit = std::min(window_, capacity_);
  return adaptive_ ? std::min(limit, adaptive_->limit()) : limit;
}

int EndpointHealth::shown_limit() const {
  return std::min(capacity_, adaptive_ ? adaptive_->limit() : ceiling_);
}

bool EndpointHealth::attempt_ended(const Attempt& attempt, int posted, bool hold, Clock::time_point now,
                                   double draw) {
  const State before = state();
  if (state_ == State::absent) {
    attempt_ended_in_absence(attempt, posted - 1, hold, now, draw);
  } else if (attempt.news != EndpointNews::none) {
    // While it is probed the probes have the last word, not the jobs that it still had.
    reached_ = state_ != State::unreachable && attempt.news != EndpointNews::unreachable;
    if (state_ != State::unreachable) take_in(attempt, posted, hold, now, draw);
  }
  return state() != before;
}

void EndpointHealth::take_in(const Attempt& attempt, int posted, bool hold, Clock::time_point now,
                             double draw) {
  switch (attempt.news) {
    case EndpointNews::asked_to_wait:
      return pause(attempt, now);
    case EndpointNews::unreachable:
      if (hold) return begin_outage(State::unreachable, attempt.why, now, draw);
      break;
    case EndpointNews::full:
      if (others_work(attempt, posted - 1, now)) return filled(posted - 1, now);
      if (hold) return begin_outage(State::unreachable, attempt.why, now, draw);
      break;
    case EndpointNews::absent:
      if (!hold) break;
      if (state_ == State::up) suspect(attempt.why, posted - 1, now, draw);
      return;
    default:
      break;
  }
  const bool coped = attempt.news == EndpointNews::answered || attempt.news == EndpointNews::reached;
  if (adaptive_) adaptive_->on_result(attempt.function, attempt.took, !coped, posted, now);
  if (coped) answered_at_ = now;
  if (attempt.news == EndpointNews::answered) {
    success_began_at_ = std::max(success_began_at_, now - attempt.took);
    answered(posted, now);
  }
}

// A connection was refused at once although others are open, or came about too slowly while others were
// answered.
bool EndpointHealth::others_work(const Attempt& attempt, int others, Clock::time_point now) const {
  return others > 0 && (attempt.took < kRefusedAtOnce || answered_at_ >= now - attempt.took);
}

void EndpointHealth::pause(const Attempt& attempt, Clock::time_point now) {
  const auto until = now + std::max(attempt.wait, kLeastPause);
  wake_at_ = state_ == State::paused ? std::max(wake_at_.value_or(until), until) : until;
  if (std::exchange(state_, State::paused) == State::paused) return;
  since_ = now;
  why_ = attempt.why;
}

void EndpointHealth::begin_outage(State state, std::string why, Clock::time_point now, double draw) {
  state_ = state;
  reached_ = false;
  since_ = now;
  why_ = std::move(why);
  schedule_probe(now, draw);
}

// A new job has the first turn. If none comes, a held one has the next.
void EndpointHealth::suspect(std::string why, int others, Clock::time_point now, double draw) {
  begin_outage(State::absent, std::move(why), now, draw);
  reached_ = true;
  confirmed_ = false;
  turns_of_held_ = 0;
  window_before_ = window_;
  begin_turn(Turn::of_new_job, others + 1, now);
}

void EndpointHealth::begin_turn(Turn turn, int most, Clock::time_point now) {
  turn_ = turn;
  turn_began_at_ = now;
  job_came_ = false;
  window_ = most;
}

// Jobs that were sent before the first such answer say nothing of how it is now.
void EndpointHealth::attempt_ended_in_absence(const Attempt& attempt, int others, bool hold,
                                              Clock::time_point now, double draw) {
  using enum EndpointNews;
  const auto began = now - attempt.took;
  const bool is_of_turn = turn_ != Turn::of_nobody && began >= turn_began_at_;
  if (attempt.news == asked_to_wait) return pause(attempt, now);
  if (attempt.news == unreachable && hold) {
    return begin_outage(State::unreachable, attempt.why, now, draw);
  }
  if (began < since_) return;
  if (attempt.news == EndpointNews::answered || attempt.news == reached || attempt.news == overloaded) {
    if (attempt.news == EndpointNews::answered) success_began_at_ = std::max(success_began_at_, began);
    const bool was_confirmed = confirmed_;
    recover(others);
    if (!was_confirmed) window_ = window_before_;
    return;
  }
  if (is_of_turn) schedule_probe(now, draw);
  if (attempt.news != absent) return;
  why_ = attempt.why;
  reached_ = false;
  confirmed_ = true;
}

// Whoever has a turn and no answer for long does not keep the others from theirs.
void EndpointHealth::next_turn(int posted, int held, Clock::time_point now, double draw) {
  if (turn_ == Turn::of_new_job && job_came_ && !confirmed_) {  // new jobs tell more than held ones
    wake_at_ = now + kLastProbe;
    return;
  }
  const bool nobody_came = turn_ == Turn::of_new_job && !job_came_;
  if (!nobody_came && held > 0 && turns_of_held_ >= held) {
    schedule_probe(now, draw);  // then a held job takes its place
    turns_of_held_ = 0;
    return begin_turn(Turn::of_new_job, posted + 1, now);
  }
  wake_at_ = now + kLastProbe;
  ++turns_of_held_;
  begin_turn(Turn::of_held_job, posted + 1, now);
}

void EndpointHealth::filled(int others, Clock::time_point now) {
  if (capacity_ == kNoLimit) capacity_grows_after_ = kCapacityGrowsAfter;
  if (std::exchange(capacity_grew_, false))
    capacity_grows_after_ = std::min(capacity_grows_after_ * 2, kCapacityGrowsAtLeastAfter);
  capacity_ = std::min(others, capacity_);
  capacity_changed_at_ = now;
}

void EndpointHealth::answered(int posted, Clock::time_point now) {
  if (window_ != kNoLimit && state_ == State::up && ++window_ >= ceiling_) window_ = kNoLimit;
  if (capacity_ == kNoLimit || posted < capacity_ || now - capacity_changed_at_ < capacity_grows_after_)
    return;
  capacity_changed_at_ = now;
  capacity_grew_ = ++capacity_ < ceiling_;
  if (!capacity_grew_) capacity_ = kNoLimit;
}

void EndpointHealth::forget(const void* function) {
  if (adaptive_) adaptive_->forget(function);
}

void EndpointHealth::schedule_probe(Clock::time_point now, double draw) {
  const auto away = std::chrono::floor<milliseconds>(now - since_);
  const auto longest = std::clamp(away / kProbeShare, kFirstProbe, kLastProbe);
  wake_at_ = now + longest / 2 + std::chrono::floor<milliseconds>(draw * (longest / 2));
  turn_ = Turn::of_nobody;
}

void EndpointHealth::probe_failed(std::string why, Clock::time_point now, double draw) {
  why_ = std::move(why);
  schedule_probe(now, draw);
}

void EndpointHealth::recover(int posted) {
  state_ = State::up;
  confirmed_ = false;
  reached_ = true;
  wake_at_.reset();
  window_ = posted + 1;
}

}  // namespace driveshaft::dispatch
