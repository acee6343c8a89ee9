// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "dispatch/adaptive_limit.h"
#include "dispatch/admission.h"
#include "dispatch/attempt.h"

namespace driveshaft::dispatch {

// The health of the other backends of an endpoint. Those that are given jobs are counted.
struct OtherBackends {
  int all = 0;
  int working = 0;
  int failing = 0;
  double share_failed = 0;  // of the attempts at those that work

  // Whether a backend may get no jobs because it fails: another one works, and at most half of all would be
  // failing.
  bool can_spare_one() const { return working > 0 && 2 * (failing + 1) <= all + 1; }
};

// The health of one backend of an endpoint, and how many jobs it may be given at once for that. Pure: the
// caller gives the time, acts at wake_at(), and makes the probes.
//
// Unreachable or paused: a backend that cannot be reached, or that asks for a pause, gets no jobs. One that
// cannot be reached is probed by opening a connection.
//
// Absent: an answer that the application is absent, such as nginx's 502, may also come from one job that
// crashes PHP. So the first such answer is a suspicion: one job that has not been sent before is sent beside
// those that run. If that job is answered, only the first job was to blame, and nothing is lost. Otherwise
// the backend gets one job at a time, after growing pauses. The held jobs take turns, and after each round
// of them a new job has a turn, too: several jobs that crash PHP cannot keep all others from being run.
//
// An absence also ends when the backend has no job and none is held for it, as after a cancel: nothing is
// left that could show whether the application is back. The next job shows it.
//
// After an outage the number of jobs grows slowly: one job beside those that the backend still has, and one
// more for each job that it answers.
//
// Settling: when a process is killed, the kernel closes its connections one after the other, and for a few
// milliseconds it accepts new connections, which it then closes, too. So after a connection has broken the
// backend gets no job for 50 ms, or until it has answered another one. A process that dies costs the jobs
// that it had, and no others.
//
// Full: a backend that takes no more connections while others of its jobs run is full, not down. Its limit
// is the number of jobs that it has taken. While the limit is used up, it grows by one job after a second,
// and after twice as long each time that the growth was too much. The limit ends after a minute without such
// a refusal, or when the backend could not be reached meanwhile.
//
// Failing: a backend that fails does so quickly, so it would be the least busy one and get the most jobs. If
// its share of failures is far above that of the others (see is_outlier()), it gets no more jobs.
// Connections that break together, as when a process dies, are one failure. One job at a time tries a failing
// backend; this is a trial, and its success ends the state. The first trial comes after a second, or after
// ten if many jobs have failed in a row. The pauses between trials double. Unless many have failed in a row,
// successes of jobs that the backend still has count, too, once the share of failures is no longer so high. A
// job that was sent after the last one that failed ends the state. A job that was sent earlier says nothing
// about the present, so it only lets a trial come at once. So a backend that begins to fail costs no more
// jobs than it had, and the trials.
class BackendHealth {
 public:
  using Clock = std::chrono::steady_clock;
  enum class State {
    up,
    unreachable,  // it is probed by opening a connection
    absent,       // its gateway says that the application is absent; it is probed by jobs
    paused,       // it asked for a pause (Retry-After)
    failing,      // its jobs fail far more often than those of the others; one job at a time tries it
  };

  // `ceiling`: the pool's slots. `adaptive`: its latency sets the limit, which is at most `ceiling`.
  BackendHealth(int ceiling, bool adaptive);

  void configure(int ceiling, bool adaptive);

  // How many jobs it may have at once: 0 while it gets none; kNoLimit: only the slots limit it.
  int limit() const;
  // The next permit is for a job that has not been sent before.
  bool wants_new_job() const { return state_ == State::absent && turn_ == Turn::of_new_job; }
  // The limit for people: the slots if nothing else limits it.
  int shown_limit() const;
  // It has refused connections beyond that limit within the last minute.
  bool is_full(Clock::time_point now) const;

  // A suspicion is not an outage: the state is `up` until it is confirmed.
  State state() const { return is_suspected() ? State::up : state_; }
  // Whether it takes jobs and is under no suspicion.
  bool works() const { return state_ == State::up; }
  bool is_failing() const { return state_ == State::failing; }
  Clock::time_point since() const { return since_; }  // not up
  const std::string& why() const { return why_; }     // not up
  // Whether it could be reached when it was last tried.
  bool reached() const { return reached_; }
  // An absence has ended because no job was left that could show whether the application is back, and none
  // was sent since.
  bool is_untried() const { return untried_; }
  // Whether a job that was sent after `time` has succeeded.
  bool has_succeeded_since(Clock::time_point time) const { return success_began_at_ > time; }

  // An empty answer came; `again`: to a job that had one before. Then gives_empty_answers() is true until
  // none has come for a minute.
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
  // An attempt has ended. `posted`: how many jobs the backend has, this one included. `hold`: jobs wait for
  // an endpoint that cannot be reached. `draw`: a random number from [0, 1), for the time of the next probe.
  // True: state() has changed.
  bool attempt_ended(const Attempt& attempt, int posted, bool hold, Clock::time_point now, double draw);
  // A function is no longer served.
  void forget(const void* function);

  // When the caller has to act: a probe or a trial is due, or a pause or the settling ends. Nothing while it
  // works, or while a probe is in progress.
  std::optional<Clock::time_point> wake_at() const { return wake_at_; }
  // No job is sent because a connection has just broken. The state is `up`.
  bool is_settling() const { return settling_; }
  void settled();
  // For State::unreachable.
  void probe_begins() { wake_at_.reset(); }
  void probe_failed(std::string why, Clock::time_point now, double draw);
  // For State::absent, also under suspicion: the next job may be sent. The backend has `posted` jobs, and
  // `held` jobs wait for the endpoint. state() is `up` afterwards if there is none of either.
  void next_turn(int posted, int held, Clock::time_point now, double draw);
  bool is_probed_by_jobs() const { return state_ == State::absent; }
  // A job was sent to the backend. True: limit() has changed.
  bool job_is_sent();

  // The share of failures among its last few attempts, 0 to 1.
  double share_failed() const { return share_failed_; }
  // For State::failing: the next trial may be sent.
  void try_one(int posted, Clock::time_point now);
  // For State::failing: the state ends, because the backend cannot be spared, or the others fail as well.
  void take_back();
  // The outage ends: the backend can be reached, its pause is over, or jobs are not held any more. It still
  // has `posted` jobs.
  void recover(int posted);

 private:
  // Whose turn it is to probe a backend whose application is absent.
  enum class Turn { of_nobody, of_held_job, of_new_job };

  bool is_suspected() const {
    return (state_ == State::absent && !confirmed_) ||
           (state_ == State::failing && !many_failed_ && trials_ == 0);
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
  void became_full(int others, Clock::time_point now);
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
  bool untried_ = false;
  Clock::time_point success_began_at_{};
  std::optional<Clock::time_point> empty_until_;
  Clock::time_point answered_at_{};

  int capacity_ = kNoLimit;  // jobs at once; it has refused more
  Clock::time_point capacity_changed_at_{};
  Clock::time_point refused_at_{};
  std::chrono::milliseconds capacity_grows_after_{0};
  bool capacity_grew_ = false;  // since it was last full

  // For State::absent:
  bool confirmed_ = false;  // false: it is only a suspicion
  int window_before_ = kNoLimit;
  Turn turn_ = Turn::of_nobody;
  Clock::time_point turn_began_at_{};
  bool job_was_sent_ = false;  // a job was sent in this turn
  int turns_of_held_ = 0;      // since the last turn of a new job

  double share_failed_ = 0;
  int failures_in_a_row_ = 0;
  std::optional<Clock::time_point> broke_off_at_;  // when that last counted as a failure
  // For State::failing, together with turn_, turn_began_at_ and window_before_:
  double others_fail_ = 0;               // their share of failures when the state began
  Clock::time_point failed_began_at_{};  // when the last of the failed jobs was sent
  bool trial_is_early_ = false;          // the last trial came before its time
  bool many_failed_ = false;             // many have failed in a row
  int trials_ = 0;                       // failed trials, without early ones
};

// Whether a share of failures is so far above that of the others that it is not chance. Both are from 0 to 1.
bool is_outlier(double fails, double others_fail);

}  // namespace driveshaft::dispatch
