// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/handover.h"

namespace driveshaft::daemon {

// Decides what the old process does in an upgrade. Pure: it is told what happens, and returns what is to be
// done.
//
//   idle → starting → taking_over → handed_over
//            └───────────┴──→ idle, with a reason: the old process goes on as if nothing had been asked
class Upgrade {
 public:
  enum class State {
    idle,
    starting,     // the new process reads its files and takes no jobs yet
    taking_over,  // the new process connects to gearmand
    handed_over,  // the new process serves, and the old process finishes its jobs
  };
  enum class Action {
    nothing,
    let_go,     // tell the new process to take over
    hand_over,  // the new process serves; take no more jobs, and end when no job runs
    give_up,    // kill the new process if it still runs; reason() says why
    send_away,  // the new process may have jobs: tell it to shut down; reason() says why
  };

  // From the start of the program to its message `serving`.
  static constexpr std::chrono::seconds kTimeOut{30};

  State state() const { return state_; }
  bool under_way() const { return state_ == State::starting || state_ == State::taking_over; }

  // Why an upgrade may not begin; nothing if it may.
  struct Process {
    bool draining = false;
    bool taking_over = false;  // this process is itself the new one of an upgrade that is under way
    bool is_init = false;      // it is process 1 of a container or machine
  };
  std::optional<std::string> refusal(const Process& process) const;
  // The new process was started from the file `program`.
  void begin(std::string program);

  Action on_message(const Message& message);
  // The new process has written this to stderr before it serves.
  void on_stderr(std::string_view text);
  // The new process has ended, or has closed its end of the channel. All that it wrote before was passed to
  // on_stderr() and on_message().
  Action on_end();
  Action on_time_out();
  // The old process shuts down, see Lifecycle::drain().
  Action on_drain();

  // After give_up and send_away: the reason in one line, for a person.
  const std::string& reason() const { return reason_; }

 private:
  Action fail(const std::string& reason);

  State state_ = State::idle;
  std::string program_;
  std::string said_;    // the reason that the new process has sent
  std::string stderr_;  // the end of what the new process wrote to stderr
  std::string reason_;
};

// Whether the new process is connected well enough to gearmand to serve. It has `links` connections, the old
// process had `links_before`, and `waited` is the time since it began to connect.
bool is_connected(int links, long links_before, std::chrono::milliseconds waited);

}  // namespace driveshaft::daemon
