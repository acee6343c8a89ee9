// SPDX-License-Identifier: MIT
#include "dispatch/backend_health.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// The pause before a probe is at most a fifth of the time that the outage has lasted, within these bounds. So
// the end of an outage of five seconds is noticed within a second.
constexpr milliseconds kFirstProbe = 100ms;
constexpr milliseconds kLastProbe = 2s;
constexpr int kProbeShare = 5;
// The least pause: an endpoint that asks for a pause of 0 s would get requests without end.
constexpr milliseconds kLeastPause = 100ms;

// No job is sent for so long after a connection has broken.
constexpr milliseconds kSettlingTime = 50ms;
constexpr auto kEmptyAnswersFor = 60s;
// A connection that fails within this time was refused at once.
constexpr milliseconds kRefusedAtOnce = 200ms;
// When the limit of a full endpoint grows by one.
constexpr milliseconds kCapacityGrowsAfter = 1s;
constexpr milliseconds kCapacityGrowsAtLatestAfter = 30s;
// When the limit ends if nothing was refused meanwhile: the backend may have got more processes.
constexpr auto kCapacityEndsAfter = 60s;

// The weight of the newest attempt in the share of failures: about the last four attempts make it up.
constexpr double kNewest = 0.25;
// So many failures in a row are not chance.
constexpr int kManyInARow = 5;
// When a backend that is failing gets the next job.
constexpr milliseconds kFirstTrial = 1s;
constexpr milliseconds kFirstTrialAfterMany = 10s;
constexpr milliseconds kLastTrial = 300s;

// BackendNews::overloaded is not a failure of the application, but it counts where backends are compared.
bool has_failed(const BackendHealth::Attempt& attempt) {
  return attempt.score == AttemptScore::failure || attempt.news == BackendNews::overloaded;
}

}  // namespace

// One failure is enough where the others have none. A third of all attempts must fail where the others fail
// in one of fifteen.
bool is_outlier(double fails, double others_fail) { return fails > 2 * others_fail + 0.2; }

BackendHealth::BackendHealth(int ceiling, bool adaptive) : ceiling_(ceiling) {
  if (adaptive) adaptive_.emplace(ceiling);
}

void BackendHealth::configure(int ceiling, bool adaptive) {
  ceiling_ = ceiling;
  if (!adaptive) {
    adaptive_.reset();
  } else if (!adaptive_) {
    adaptive_.emplace(ceiling);
  } else {
    adaptive_->set_ceiling(ceiling);
  }
}

void BackendHealth::empty_answer(bool again, Clock::time_point now) {
  if (again || gives_empty_answers(now)) empty_until_ = now + kEmptyAnswersFor;
}

bool BackendHealth::gives_empty_answers(Clock::time_point now) const {
  return empty_until_ && now < *empty_until_;
}

int BackendHealth::limit() const {
  if (state_ == State::unreachable || state_ == State::paused) return 0;
  const bool takes_turns = state_ == State::absent || state_ == State::failing;
  if (settling_ || (takes_turns && turn_ == Turn::of_nobody)) return 0;
  const int limit = std::min(window_, capacity_);
  return adaptive_ ? std::min(limit, adaptive_->limit()) : limit;
}

int BackendHealth::shown_limit() const {
  return std::min(capacity_, adaptive_ ? adaptive_->limit() : ceiling_);
}

bool BackendHealth::attempt_ended(const Attempt& attempt, int posted, bool hold, Clock::time_point now,
                                  double draw) {
  const State before = state();
  if (attempt.news != BackendNews::none) untried_ = false;
  judge(attempt, now);
  if (state_ == State::absent) {
    attempt_ended_in_absence(attempt, posted - 1, hold, now, draw);
  } else if (state_ == State::failing) {
    attempt_ended_while_failing(attempt, posted, hold, now, draw);
  } else if (attempt.news != BackendNews::none) {
    // While a backend is probed, the probes decide, and not the jobs that it still had.
    reached_ = state_ != State::unreachable && attempt.news != BackendNews::unreachable;
    if (state_ != State::unreachable) take_in(attempt, posted, hold, now, draw);
  }
  return state() != before;
}

void BackendHealth::take_in(const Attempt& attempt, int posted, bool hold, Clock::time_point now,
                            double draw) {
  switch (attempt.news) {
    case BackendNews::asked_to_wait:
      return pause(attempt, now);
    case BackendNews::unreachable:
      if (hold) return begin_outage(State::unreachable, attempt.why, now, draw);
      break;
    case BackendNews::full:
      if (others_work(attempt, posted - 1, now)) return became_full(posted - 1, now);
      if (hold) return begin_outage(State::unreachable, attempt.why, now, draw);
      break;
    case BackendNews::absent:
      if (!hold) break;
      if (state_ == State::up) suspect(attempt.why, posted - 1, now, draw);
      return;
    case BackendNews::broke_off:
      if (state_ == State::up) settle(now);
      break;
    default:
      break;
  }
  const bool was_answered = attempt.news == BackendNews::answered || attempt.news == BackendNews::reached;
  if (adaptive_) adaptive_->on_result(attempt.function, attempt.took, !was_answered, posted, now);
  if (was_answered) {
    answered_at_ = now;
    settled();
  }
  if (attempt.news == BackendNews::answered) {
    success_began_at_ = std::max(success_began_at_, now - attempt.took);
    answered(posted, now);
  }
  const bool can_be_spared = has_failed(attempt) && attempt.others_fail;
  if (can_be_spared && state_ == State::up && is_outlier(share_failed_, *attempt.others_fail)) {
    begin_failing(attempt, now);
  }
}

void BackendHealth::judge(const Attempt& attempt, Clock::time_point now) {
  const bool failed = has_failed(attempt);
  if (!failed && attempt.score == AttemptScore::none) return;
  if (attempt.news == BackendNews::broke_off) {
    if (broke_off_at_ && now - attempt.took < *broke_off_at_) return;
    broke_off_at_ = now;
  }
  share_failed_ += kNewest * ((failed ? 1 : 0) - share_failed_);
  failures_in_a_row_ = failed ? failures_in_a_row_ + 1 : 0;
}

void BackendHealth::begin_failing(const Attempt& attempt, Clock::time_point now) {
  settled();
  state_ = State::failing;
  since_ = now;
  why_ = attempt.why;
  others_fail_ = *attempt.others_fail;
  failed_began_at_ = now - attempt.took;
  window_before_ = window_;
  turn_ = Turn::of_nobody;
  turn_began_at_ = Clock::time_point::max();
  trials_ = 0;
  many_failed_ = failures_in_a_row_ >= kManyInARow;
  wake_at_ = now + trial_pause();
}

BackendHealth::Clock::duration BackendHealth::trial_pause() const {
  const milliseconds first = many_failed_ ? kFirstTrialAfterMany : kFirstTrial;
  return std::min(first * (1 << std::min(trials_, 16)), kLastTrial);
}

// An outage ends State::failing. Jobs that were sent before the state began count while few have failed in a
// row.
void BackendHealth::attempt_ended_while_failing(const Attempt& attempt, int posted, bool hold,
                                                Clock::time_point now, double draw) {
  using enum BackendNews;
  const bool is_outage = attempt.news == asked_to_wait || attempt.news == unreachable ||
                         attempt.news == full || attempt.news == absent;
  if (is_outage) {
    state_ = State::up;
    wake_at_.reset();
    return take_in(attempt, posted, hold, now, draw);
  }
  const auto began = now - attempt.took;
  const bool is_trial = began >= turn_began_at_;
  if (attempt.score == AttemptScore::success) {
    const bool is_chance = !many_failed_ && !is_outlier(share_failed_, others_fail_);
    if (is_trial || (is_chance && began > failed_began_at_)) {
      recover(posted - 1);
      if (is_chance) window_ = window_before_;
    } else if (is_chance && wake_at_) {
      try_one(posted - 1, now);
      trial_is_early_ = true;
    }
  } else if (has_failed(attempt)) {
    why_ = attempt.why;
    failed_began_at_ = std::max(failed_began_at_, began);
    const bool had_many_failed =
        std::exchange(many_failed_, many_failed_ || failures_in_a_row_ >= kManyInARow);
    if (!is_trial && many_failed_ == had_many_failed) return;
    if (is_trial && !trial_is_early_) ++trials_;
    wake_at_ = now + trial_pause();
  } else if (is_trial) {  // this trial has no result, so another one follows
    wake_at_ = now + trial_pause();
  }
}

void BackendHealth::try_one(int posted, Clock::time_point now) {
  begin_turn(Turn::of_held_job, posted + 1, now);
  trial_is_early_ = false;
  wake_at_.reset();
}

bool BackendHealth::job_is_sent() {
  job_was_sent_ = true;
  if (state_ != State::failing || turn_ == Turn::of_nobody) return false;
  turn_ = Turn::of_nobody;  // one job alone
  return true;
}

void BackendHealth::take_back() {
  state_ = State::up;
  wake_at_.reset();
  window_ = window_before_;
}

// Whether a failure to connect means that the backend is full: the connection was refused at once while
// others are open, or was too slow while others were answered.
bool BackendHealth::others_work(const Attempt& attempt, int others, Clock::time_point now) const {
  return others > 0 && (attempt.took < kRefusedAtOnce || answered_at_ >= now - attempt.took);
}

void BackendHealth::settle(Clock::time_point now) {
  settling_ = true;
  wake_at_ = now + kSettlingTime;
}

void BackendHealth::settled() {
  if (std::exchange(settling_, false)) wake_at_.reset();
}

void BackendHealth::pause(const Attempt& attempt, Clock::time_point now) {
  settled();
  const auto until = now + std::max(attempt.wait, kLeastPause);
  wake_at_ = state_ == State::paused ? std::max(wake_at_.value_or(until), until) : until;
  if (std::exchange(state_, State::paused) == State::paused) return;
  since_ = now;
  why_ = attempt.why;
}

void BackendHealth::begin_outage(State state, std::string why, Clock::time_point now, double draw) {
  settled();
  state_ = state;
  reached_ = false;
  since_ = now;
  why_ = std::move(why);
  schedule_probe(now, draw);
}

// A new job has the first turn. If none comes, a held job has the next one.
void BackendHealth::suspect(std::string why, int others, Clock::time_point now, double draw) {
  begin_outage(State::absent, std::move(why), now, draw);
  reached_ = true;
  confirmed_ = false;
  turns_of_held_ = 0;
  window_before_ = window_;
  begin_turn(Turn::of_new_job, others + 1, now);
}

void BackendHealth::begin_turn(Turn turn, int most, Clock::time_point now) {
  turn_ = turn;
  turn_began_at_ = now;
  job_was_sent_ = false;
  window_ = most;
}

// Jobs that were sent before the first such answer say nothing about the present state.
void BackendHealth::attempt_ended_in_absence(const Attempt& attempt, int others, bool hold,
                                             Clock::time_point now, double draw) {
  using enum BackendNews;
  const auto began = now - attempt.took;
  const bool is_of_turn = turn_ != Turn::of_nobody && began >= turn_began_at_;
  if (attempt.news == asked_to_wait) return pause(attempt, now);
  if (attempt.news == unreachable && hold) {
    return begin_outage(State::unreachable, attempt.why, now, draw);
  }
  if (began < since_) return;
  if (attempt.news == BackendNews::answered || attempt.news == reached || attempt.news == overloaded ||
      attempt.news == empty) {
    if (attempt.news == BackendNews::answered) success_began_at_ = std::max(success_began_at_, began);
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

// A job that has a turn and gets no answer for long does not keep the others from theirs.
void BackendHealth::next_turn(int posted, int held, Clock::time_point now, double draw) {
  if (posted == 0 && held == 0) {
    untried_ = confirmed_;
    recover(posted);
    if (!untried_) window_ = window_before_;
    return;
  }
  if (turn_ == Turn::of_new_job && job_was_sent_ && !confirmed_) {  // new jobs tell more than held ones
    wake_at_ = now + kLastProbe;
    return;
  }
  const bool no_job_was_sent = turn_ == Turn::of_new_job && !job_was_sent_;
  if (!no_job_was_sent && held > 0 && turns_of_held_ >= held) {
    schedule_probe(now, draw);  // then a held job takes its place
    turns_of_held_ = 0;
    return begin_turn(Turn::of_new_job, posted + 1, now);
  }
  wake_at_ = now + kLastProbe;
  ++turns_of_held_;
  begin_turn(Turn::of_held_job, posted + 1, now);
}

void BackendHealth::became_full(int others, Clock::time_point now) {
  if (capacity_ == kNoLimit) capacity_grows_after_ = kCapacityGrowsAfter;
  if (std::exchange(capacity_grew_, false))
    capacity_grows_after_ = std::min(capacity_grows_after_ * 2, kCapacityGrowsAtLatestAfter);
  capacity_ = std::min(others, capacity_);
  capacity_changed_at_ = now;
  refused_at_ = now;
}

void BackendHealth::answered(int posted, Clock::time_point now) {
  if (window_ != kNoLimit && state_ == State::up) {
    ++window_;
    if (window_ >= ceiling_) window_ = kNoLimit;
  }
  if (!is_full(now)) capacity_ = kNoLimit;
  if (capacity_ == kNoLimit || posted < capacity_ || now - capacity_changed_at_ < capacity_grows_after_)
    return;
  capacity_changed_at_ = now;
  capacity_grew_ = ++capacity_ < ceiling_;
  if (!capacity_grew_) capacity_ = kNoLimit;
}

void BackendHealth::forget(const void* function) {
  if (adaptive_) adaptive_->forget(function);
}

void BackendHealth::schedule_probe(Clock::time_point now, double draw) {
  const auto away = std::chrono::floor<milliseconds>(now - since_);
  const auto longest = std::clamp(away / kProbeShare, kFirstProbe, kLastProbe);
  wake_at_ = now + longest / 2 + std::chrono::floor<milliseconds>(draw * (longest / 2));
  turn_ = Turn::of_nobody;
}

void BackendHealth::probe_failed(std::string why, Clock::time_point now, double draw) {
  why_ = std::move(why);
  schedule_probe(now, draw);
}

bool BackendHealth::is_full(Clock::time_point now) const {
  return capacity_ != kNoLimit && now - refused_at_ < kCapacityEndsAfter;
}

void BackendHealth::recover(int posted) {
  if (state_ == State::unreachable) capacity_ = kNoLimit;  // most likely it was started anew
  state_ = State::up;
  settling_ = false;
  confirmed_ = false;
  reached_ = true;
  wake_at_.reset();
  window_ = posted + 1;
}

}  // namespace driveshaft::dispatch
