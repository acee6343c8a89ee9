// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "dispatch/adaptive_limit.h"
#include "dispatch/admission.h"
#include "dispatch/attempt.h"

namespace driveshaft::dispatch {

// How the other backends of an endpoint fare. All are counted that are given jobs.
struct OtherBackends {
  int all = 0;
  int working = 0;
  int failing = 0;
  double share_failed = 0;  // of the attempts at those that work

  // Whether one may get no jobs because it fails: another one works, and no more than half are failing.
  bool can_spare_one() const { return working > 0 && 2 * (failing + 1) <= all + 1; }
};

// How a backend of an endpoint fares, and how many jobs it may be given at once for that. Pure: the caller
// says what time it is, asks when to come back, and probes.
//
// A backend that cannot be reached, or asks to be left alone for a while, gets no jobs. One that cannot be
// reached is probed by opening a connection.
//
// An answer that the application is absent, such as nginx's 502, may also come of one job that crashes PHP.
// So the first such answer is a suspicion: a job that has not been sent before is sent beside those that run.
// If that job is answered, only the first job was to blame, and nothing has been lost by it. Otherwise the
// backend gets one job at a time, after growing pauses. The held jobs take turns, and after each round of
// them a new job has a turn too: several jobs that crash PHP cannot keep all others from being run.
//
// After an outage the backend is approached carefully: one job beside those that it still has, and one more
// for each that it answers.
//
// When a process is killed, the kernel closes its connections one after the other, and for a few milliseconds
// takes new ones that it then closes, too. So after a connection has broken the backend gets no job for a
// moment, or until it has answered another one: a process that dies costs the jobs that it had, and no
// others.
//
// A backend that takes no more connections while others of its jobs run is full, not down: its limit is
// what it has taken. The limit grows by one job while it is used up: after a second, and after twice as long
// each time that this was too much.
//
// A backend that fails is quick, so the least busy of them all would be the one that fails the most. If its
// share of failures is far above that of the others (see is_outlier()), it gets no more jobs: it is failing.
// Connections that break together, as a process dies, are one failure.
// Successes of jobs that it still has lift that once its share is no longer so high, unless many have failed
// in a row. Those that were sent before the last one that failed say nothing of how it is now: each lets one
// job try it at once. Otherwise one job tries it after a second, or after ten if many have failed in a row,
// then after pauses that double. So a backend that begins to fail costs no more jobs than it had, and the
// trials.
class BackendHealth {
 public:
  using Clock = std::chrono::steady_clock;
  enum class State {
    up,
    unreachable,  // it is probed by opening a connection
    absent,       // its application is not there, as its gateway says; it is probed by jobs
    paused,       // it asked to be left alone
    failing,      // far more of its jobs fail than of the others'; it is tried by one job at a time
  };

  // `ceiling`: the pool's slots. `adaptive`: the limit is found from its latency, and is at most that.
  BackendHealth(int ceiling, bool adaptive);

  void configure(int ceiling, bool adaptive);

  // Jobs at once: 0 while it takes none, kNoLimit where nothing limits it but the slots.
  int limit() const;
  // The next permit is for a job that has not been sent before.
  bool wants_new_job() const { return state_ == State::absent && turn_ == Turn::of_new_job; }
  // The limit that people are shown; the slots where nothing else limits it.
  int shown_limit() const;
  // It has refused connections beyond that limit.
  bool is_full() const { return capacity_ != kNoLimit; }

  // A suspicion is not an outage: the state is `up` until it is confirmed.
  State state() const { return is_suspected() ? State::up : state_; }
  // Whether it takes jobs, and nothing is held against it.
  bool works() const { return state_ == State::up; }
  bool is_failing() const { return state_ == State::failing; }
  Clock::time_point since() const { return since_; }  // not up
  const std::string& why() const { return why_; }     // not up
  // Whether somebody was there when it was last tried.
  bool reached() const { return reached_; }
  // Whether a job that was sent after `time` has succeeded.
  bool has_succeeded_since(Clock::time_point time) const { return success_began_at_ > time; }

  // An empty answer came, `again` to a job that had one before. After that the endpoint is taken for one that
  // gives empty answers, until none has come for a minute.
  void empty_answer(bool again, Clock::time_point now);
  bool gives_empty_answers(Clock::time_point now) const;

  struct Attempt {
    BackendNews news;
    std::string why = {};                 // with BackendNews::unreachable, full, absent and asked_to_wait
    std::chrono::milliseconds wait = {};  // with asked_to_wait
    const void* function = nullptr;       // identifies the function of its job
    Clock::duration took = {};
    AttemptScore score = AttemptScore::none;
    // The share of failures of the other backends that work. Nothing: this one cannot be spared.
    std::optional<double> others_fail = {};
  };
  // An attempt has ended, with `posted` jobs at the endpoint, that one among them. True: state() is another
  // than before. With `hold` jobs wait for an endpoint that cannot be reached.
  bool attempt_ended(const Attempt& attempt, int posted, bool hold, Clock::time_point now, double draw);
  // A function is no longer served.
  void forget(const void* function);

  // When it wants to be probed, its pause ends, or it may be sent jobs again after a connection has broken;
  // nothing while all is well, or while a probe is under way.
  std::optional<Clock::time_point> wake_at() const { return wake_at_; }
  // No job is sent, as a connection has broken. The state is `up`.
  bool is_settling() const { return settling_; }
  void settled();
  // Of State::unreachable.
  void probe_begins() { wake_at_.reset(); }
  void probe_failed(std::string why, Clock::time_point now, double draw);
  // Of an endpoint whose application is absent, or may be: the next job may be sent. `posted` jobs are at the
  // endpoint, `held` wait for it.
  void next_turn(int posted, int held, Clock::time_point now, double draw);
  bool is_probed_by_jobs() const { return state_ == State::absent; }
  // True: limit() is another than before.
  bool job_is_sent();

  // The share of failures among its last few attempts, 0 to 1.
  double share_failed() const { return share_failed_; }
  // Of one that is failing: the next job may be sent.
  void try_one(int posted, Clock::time_point now);
  // Of one that is failing: it cannot be spared, or the others fail as well.
  void take_back();
  // It can be reached, or its pause is over, or what it is no longer matters. Jobs that it has are `posted`.
  void recover(int posted);

 private:
  // Whose turn it is to probe an endpoint whose application is absent.
  enum class Turn { of_nobody, of_held_job, of_new_job };

  bool is_suspected() const {
    return (state_ == State::absent && !confirmed_) ||
           (state_ == State::failing && !is_sure_ && trials_ == 0);
  }
  void judge(const Attempt& attempt, Clock::time_point now);
  void begin_failing(const Attempt& attempt, Clock::time_point now);
  void attempt_ended_while_failing(const Attempt& attempt, int posted, bool hold, Clock::time_point now,
                                   double draw);
  Clock::duration trial_pause() const;
  void begin_outage(State state, std::string why, Clock::time_point now, double draw);
  void suspect(std::string why, int others, Clock::time_point now, double draw);
  void attempt_ended_in_absence(const Attempt& attempt, int others, bool hold, Clock::time_point now,
                                double draw);
  void take_in(const Attempt& attempt, int posted, bool hold, Clock::time_point now, double draw);
  bool others_work(const Attempt& attempt, int others, Clock::time_point now) const;
  void settle(Clock::time_point now);
  void pause(const Attempt& attempt, Clock::time_point now);
  void filled(int others, Clock::time_point now);
  void answered(int posted, Clock::time_point now);
  void begin_turn(Turn turn, int most, Clock::time_point now);
  void schedule_probe(Clock::time_point now, double draw);

  int ceiling_;
  std::optional<AdaptiveLimit> adaptive_;
  State state_ = State::up;
  bool reached_ = true;
  Clock::time_point since_{};
  std::string why_;
  std::optional<Clock::time_point> wake_at_;
  int window_ = kNoLimit;  // jobs at once while it recovers
  bool settling_ = false;
  Clock::time_point success_began_at_{};
  std::optional<Clock::time_point> empty_until_;
  Clock::time_point answered_at_{};

  int capacity_ = kNoLimit;  // jobs at once, as it has shown by refusing more
  Clock::time_point capacity_changed_at_{};
  std::chrono::milliseconds capacity_grows_after_{0};
  bool capacity_grew_ = false;  // since it was last full

  // Of State::absent.
  bool confirmed_ = false;  // more than a suspicion
  int window_before_ = kNoLimit;
  Turn turn_ = Turn::of_nobody;
  Clock::time_point turn_began_at_{};
  bool job_came_ = false;  // in this turn
  int turns_of_held_ = 0;  // since the last turn of a new job

  double share_failed_ = 0;
  int failures_in_a_row_ = 0;
  std::optional<Clock::time_point> broke_off_at_;  // when that last counted as a failure
  // Of State::failing, with turn_, turn_began_at_ and window_before_.
  double others_fail_ = 0;               // when it began
  Clock::time_point failed_began_at_{};  // of the jobs that failed, the one that was sent last
  bool is_early_ = false;                // the last trial came before its time
  bool is_sure_ = false;                 // many have failed in a row
  int trials_ = 0;                       // that have failed, early ones left out
};

// Whether a share of failures is so far above that of the others that it is not chance.
bool is_outlier(double fails, double others_fail);

}  // namespace driveshaft::dispatch
