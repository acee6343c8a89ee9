// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

#include "gearman/dialect.h"

// When one worker connection asks for jobs, sleeps and wakes. Pure: no I/O and no clock; the link feeds it
// what happened and sends what it answers.
//
// The server's side of the facts (gearmand, libgearman-server/server.cc, measured against 1.1.20):
//   - PRE_SLEEP is answered by NOOP at once when a job can be run, so nothing is lost between NO_JOB and it.
//   - A submitted job sends NOOP to sleeping connections. Only a grab makes the server forget that it woke
//     one: NOOP answered by PRE_SLEEP without a grab between would leave the connection deaf for ever.
//   - A delayed job that falls due, and a job whose wake-up went to a worker that died, send no NOOP: so a
//     sleeping connection grabs now and then all the same.
//   - A low-priority job behind one that is not due yet makes PRE_SLEEP, NOOP, NO_JOB go round for ever: so
//     a connection that is woken in vain again and again waits before it grabs.
//
// The Perl Gearman::Server (Gearman/Server.pm, 1.130.1) answers GRAB_JOB_UNIQ with ERROR: then GRAB_JOB is
// what is sent. It is told from the others by the first grab of a connection, which is always alone. It
// forgets now and then that a connection sleeps, for good: when another one of the same function closes. So a
// sleeping connection grabs there about once a second.
namespace driveshaft::gearman {

class Grabber {
 public:
  using Clock = std::chrono::steady_clock;

  // The most grabs unanswered at once: a burst is fetched in few turns, and still shared with other hosts.
  static constexpr int kMaxBurst = 32;

  // `poll`: how long to sleep before grabbing unasked. The owner jitters it, so that hosts do not grab
  // together.
  explicit Grabber(std::chrono::milliseconds poll) : poll_(poll) {}

  // How many more grabs to send now, slots permitting; 0 while asleep, held back or draining.
  int wanted() const;

  // `count` grabs go out, each with a slot reserved for it. At most wanted().
  void granted(int count);

  // A grab was answered by a job. False: there was no grab to answer, the server is out of step.
  [[nodiscard]] bool on_job();

  enum class OnNoJob { out_of_step, nothing, send_pre_sleep };
  // A grab was answered by NO_JOB: its slot is free again.
  [[nodiscard]] OnNoJob on_no_job(Clock::time_point now);

  enum class OnError { of_another, fall_back, grabs_refused };
  // An ERROR came that answers none of the packets that are known to be refused now and then.
  // fall_back: it says that the server does not know GRAB_JOB_UNIQ; that grab's slot is free again, and from
  // now on dialect() is another. grabs_refused: the server does not know GRAB_JOB either.
  [[nodiscard]] OnError on_error();

  // What the server has shown to know.
  Dialect dialect() const { return dialect_; }

  // True: it was waited for. Else nothing has changed.
  bool on_noop(Clock::time_point now);

  // When on_time() wants to be called next; nothing while awake.
  std::optional<Clock::time_point> wake_at() const;
  void on_time(Clock::time_point now);

  // Work may wait that sends no NOOP: a function was registered.
  void wake();

  // No more grabs, for good.
  void drain() { draining_ = true; }
  // A sleeping connection that drains would swallow wake-ups meant for others until its last job is done;
  // one grab un-sleeps it. True: send one (it may bring a job, so it needs a slot), after granted_unsleep().
  bool wants_unsleep() const { return draining_ && state_ != State::awake; }
  void granted_unsleep();

  int outstanding() const { return outstanding_; }
  bool asleep() const { return state_ != State::awake; }

 private:
  enum class State {
    awake,   // grabbing, or would, had the pool a slot
    asleep,  // PRE_SLEEP sent; NOOP or the poll wakes
    held,    // asleep and woken again, but too often in vain: grabs when the delay has passed
  };

  std::chrono::milliseconds poll_;
  Dialect dialect_ = Dialect::gearmand;
  bool understood_ = false;  // a grab was answered as one; until then there is at most one unanswered

  State state_ = State::awake;
  int outstanding_ = 0;  // grabs sent and not yet answered
  int burst_ = 1;        // the slow-start window: doubles with each job, 1 again after NO_JOB
  bool dry_ = false;     // the last answer was NO_JOB: wait for the others before asking again
  bool draining_ = false;
  Clock::time_point slept_at_{};
  Clock::time_point held_until_{};
  int vain_wakes_ = 0;  // wake-ups that followed PRE_SLEEP at once and brought no job, in a row
};

}  // namespace driveshaft::gearman
