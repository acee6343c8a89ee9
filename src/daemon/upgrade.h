// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/handover.h"

namespace driveshaft::daemon {

// What the old process decides in an upgrade. Pure: what happens is told, what is to be done is returned.
//
//   idle → starting → taking_over → handed_over
//            └───────────┴──→ idle, with a reason: the old process goes on as if nothing had been asked
class Upgrade {
 public:
  enum class State {
    idle,
    starting,     // the new process reads its files, and takes no jobs yet
    taking_over,  // it connects to gearmand
    handed_over,  // it serves, and the old process finishes its jobs
  };
  enum class Action {
    nothing,
    let_go,     // tell the new process to take over
    hand_over,  // the new process serves: take no more jobs, and end when none runs
    give_up,    // kill the new process if it still runs; reason() says why
    send_away,  // likewise, but it may have jobs: have it shut down
  };

  // From the start to `serving`.
  static constexpr std::chrono::seconds kTimeOut{30};

  State state() const { return state_; }
  bool under_way() const { return state_ == State::starting || state_ == State::taking_over; }

  // Whether an upgrade may begin: nothing, or why not.
  struct Process {
    bool draining = false;
    bool taking_over = false;  // it is itself the new process of an upgrade that is under way
    bool is_init = false;      // process 1 of a container or machine
  };
  std::optional<std::string> refusal(const Process& process) const;
  // The new process was started, from the file `program`.
  void begin(std::string program);

  Action on_message(const Message& message);
  // What the new process writes to stderr before it serves.
  void on_stderr(std::string_view text);
  // The new process has ended, or closed its socket. All that it wrote before has been told.
  Action on_end();
  Action on_time_out();
  // The old process shuts down.
  Action on_drain();

  // After give_up and send_away: why, for a person, in one line.
  const std::string& reason() const { return reason_; }

 private:
  Action fail(const std::string& reason);

  State state_ = State::idle;
  std::string program_;
  std::string said_;    // the new process's own reason
  std::string stderr_;  // the end of it
  std::string reason_;
};

// Of the new process: whether it is connected well enough to gearmand to serve, `links` connections of its
// own being up, `links_before` of the old process's, and `waited` since it began.
bool is_connected(int links, long links_before, std::chrono::milliseconds waited);

}  // namespace driveshaft::daemon
