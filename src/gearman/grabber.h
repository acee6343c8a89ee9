// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

#include "gearman/dialect.h"

// Decides when one worker connection grabs jobs, sleeps and wakes. Pure: no I/O and no clock. The session
// tells the grabber what has happened, and sends what the grabber answers.
//
// What gearmand does (libgearman-server/server.cc, measured with 1.1.20):
//   - If a job can be run, gearmand answers PRE_SLEEP with NOOP at once. So a job that comes between NO_JOB
//     and PRE_SLEEP is not missed.
//   - A submitted job sends NOOP to sleeping connections. gearmand remembers that it has woken a connection
//     until that connection grabs. If the connection answered NOOP with PRE_SLEEP, without a grab, it would
//     never be woken again.
//   - A delayed job that falls due sends no NOOP. Nor does a job whose NOOP went to a worker that died. So a
//     sleeping connection polls: it sends a grab now and then.
//   - A job of low priority behind a job that is not due yet makes PRE_SLEEP, NOOP and NO_JOB follow each
//     other without end. So a connection that has been woken several times without a job waits before it
//     grabs.
//
// The Perl Gearman::Server (Gearman/Server.pm, 1.130.1) answers GRAB_JOB_UNIQ with ERROR; it is then sent
// GRAB_JOB. The first grab of a connection shows which server it is, and is always alone. When a connection
// closes, that server may forget for ever that another connection of the same function sleeps. So a sleeping
// connection to it polls about once a second.
namespace driveshaft::gearman {

class Grabber {
 public:
  using Clock = std::chrono::steady_clock;

  // At most so many grabs are unanswered at once: a burst of jobs is fetched in few turns of the loop, and
  // other hosts still get their share.
  static constexpr int kMaxBurst = 32;

  // `poll`: how long a connection sleeps before it polls. The owner adds jitter, so that hosts do not poll at
  // the same time.
  explicit Grabber(std::chrono::milliseconds poll) : poll_(poll) {}

  // How many more grabs to send now, if there are slots. 0 while asleep, backing off or draining.
  int grabs_wanted() const;

  // `count` grabs are sent, at most grabs_wanted(). A slot is reserved for each.
  void granted(int count);

  // A grab was answered by a job. False: no grab was unanswered, which is a protocol error.
  [[nodiscard]] bool on_job();

  enum class OnNoJob { unexpected, nothing, send_pre_sleep };
  // A grab was answered by NO_JOB, so its slot is free again. unexpected: no grab was unanswered.
  [[nodiscard]] OnNoJob on_no_job(Clock::time_point now);

  enum class OnError { not_for_grab, fall_back, grabs_refused };
  // An ERROR came, and it does not answer a result. fall_back: the server does not know GRAB_JOB_UNIQ; the
  // slot of that grab is free again, and dialect() has changed. grabs_refused: the server does not know
  // GRAB_JOB either.
  [[nodiscard]] OnError on_error();

  // Which packets the server knows, as far as it has shown.
  Dialect dialect() const { return dialect_; }

  // True: the connection was asleep. Otherwise nothing has changed.
  bool on_noop(Clock::time_point now);

  // When on_time() is to be called next; nothing while awake.
  std::optional<Clock::time_point> wake_at() const;
  void on_time(Clock::time_point now);

  // A function was registered. It may have jobs that send no NOOP.
  void wake();

  // Sends no more grabs, except a wake grab.
  void drain() { draining_ = true; }
  // Until its last job is done, a sleeping connection that drains could be sent a NOOP that another
  // connection needs. One grab, the wake grab, ends the sleep. True: call wake_grab_granted(), then send a
  // grab. The grab may bring a job, so it needs a slot.
  bool wants_wake_grab() const { return draining_ && state_ != State::awake; }
  void wake_grab_granted();

  int outstanding() const { return outstanding_; }
  bool asleep() const { return state_ != State::awake; }

 private:
  enum class State {
    awake,        // grabs when there is a slot
    asleep,       // PRE_SLEEP was sent; NOOP or the poll ends the sleep
    backing_off,  // woken too often without a job: it grabs when a delay has passed
  };

  std::chrono::milliseconds poll_;
  Dialect dialect_ = Dialect::gearmand;
  bool grab_understood_ =
      false;  // a grab was answered by a job or NO_JOB; until then at most one is unanswered

  State state_ = State::awake;
  int outstanding_ = 0;  // grabs sent and not yet answered
  // The slow-start window: it doubles with each job, and NO_JOB sets it to 1. So after NO_JOB the other grabs
  // are answered before the next one is sent.
  int burst_ = 1;
  bool draining_ = false;
  Clock::time_point slept_at_{};
  Clock::time_point backoff_until_{};
  int futile_wakes_ = 0;  // NOOPs in a row that followed PRE_SLEEP at once and brought no job
};

}  // namespace driveshaft::gearman
