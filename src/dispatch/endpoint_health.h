// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "dispatch/adaptive_limit.h"
#include "dispatch/admission.h"
#include "dispatch/attempt.h"

namespace driveshaft::dispatch {

// How an endpoint fares, and how many jobs it may be given at once for that. When it cannot be reached, or
// asks to be left alone for a while, it gets none. Then it is approached carefully: one job beside those that
// it still has, and one more for each that it answers. Pure: the caller says what time it is, asks when to
// come back, and probes.
class EndpointHealth {
 public:
  using Clock = std::chrono::steady_clock;
  enum class State {
    up,
    unreachable,  // it is probed, now and then
    paused,       // it asked to be left alone
  };

  // `ceiling`: the pool's slots. `adaptive`: the limit is found from its latency, and is at most that.
  EndpointHealth(int ceiling, bool adaptive);

  // Another endpoint (`replaced`) starts with a clean record.
  void configure(int ceiling, bool adaptive, bool replaced);

  // Jobs at once: 0 while it takes none, kNoLimit where nothing limits it but the slots.
  int limit() const;
  // The limit that people are shown; the slots where it is not adaptive.
  int shown_limit() const { return adaptive_ ? adaptive_->limit() : ceiling_; }

  State state() const { return state_; }
  Clock::time_point since() const { return since_; }  // not up
  const std::string& why() const { return why_; }     // not up
  // Whether somebody was there when it was last tried.
  bool reached() const { return reached_; }

  struct Attempt {
    EndpointNews news;
    std::string why = {};                 // with EndpointNews::unreachable and asked_to_wait
    std::chrono::milliseconds wait = {};  // with asked_to_wait
    const void* function = nullptr;       // identifies the function of its job
    Clock::duration took = {};
  };
  // An attempt has ended, with `posted` jobs at the endpoint, that one among them. True: the state is another
  // than before. With `hold` jobs wait for an endpoint that cannot be reached.
  bool attempt_ended(const Attempt& attempt, int posted, bool hold, Clock::time_point now, double draw);
  // A function is no longer served.
  void forget(const void* function);

  // When it wants to be probed, or its pause ends; nothing while it is up, or while a probe is under way.
  std::optional<Clock::time_point> wake_at() const { return wake_at_; }
  void probe_begins() { wake_at_.reset(); }
  void probe_failed(std::string why, Clock::time_point now, double draw);
  // It can be reached, or its pause is over, or what it is no longer matters. Jobs that it has are `posted`.
  void recover(int posted);

 private:
  void schedule_probe(Clock::time_point now, double draw);

  int ceiling_;
  std::optional<AdaptiveLimit> adaptive_;
  State state_ = State::up;
  bool reached_ = true;
  Clock::time_point since_{};
  std::string why_;
  std::optional<Clock::time_point> wake_at_;
  int window_ = kNoLimit;  // jobs at once while it recovers
};

}  // namespace driveshaft::dispatch
