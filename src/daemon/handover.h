// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "dispatch/supervisor.h"

// The messages and descriptors that an old process passes to the new one in an upgrade, and the new one's
// messages. Pure.
namespace driveshaft::daemon {

// A message over the socket between the two processes: one line of JSON. The versions of the two may differ:
// members and messages that a version does not know are skipped.
struct Message {
  enum class Kind {
    // The new process sends:
    not_executed,  // the program could not be executed; `number` is the errno
    ready,         // it has read its files and waits for `go`; it takes no jobs yet
    failed,        // it ends; `text` is why
    serving,       // it takes jobs, has taken the pid file and answers requests; `text` is its version
    // The old process sends:
    go,  // take over, with the `pauses` in force; the old process has `number` connections to gearmand
    main_process,  // the service manager knows that the new process is the main process of the service now
    // The new process sends while the old one finishes its jobs:
    drain,        // the service shuts down; finish within `window`
    reopen_logs,  // the log files were rotated; open them again
  };

  Kind kind;
  std::string text = {};
  long number = 0;
  std::chrono::milliseconds window{0};
  dispatch::Supervisor::AllPauses pauses = {};
};

using SteadyTime = std::chrono::steady_clock::time_point;

// The message as a line, with its end. Times of pauses are sent relative to `now`.
std::string to_line(const Message& message, SteadyTime now);
// Reads a line, without its end. Nothing: this version does not know the message, or it is not one.
std::optional<Message> parse_line(std::string_view line, SteadyTime now);

// The descriptors that the new process inherits; -1: none. All others but stdin, stdout and stderr are
// closed.
struct Inheritance {
  int channel = -1;  // the socket for messages
  // The stderr of the old process. The new one uses it once it serves, and before that a pipe to the old
  // process.
  int stderr_before = -1;
  int exporter = -1;  // the listening socket of the exporter address
  int control = -1;   // the listening socket of the control socket
  int pid_file = -1;

  bool operator==(const Inheritance&) const = default;
};

// Environment variable with the inheritance. Only the new process has it, and removes it from its
// environment.
inline constexpr const char* kInheritanceVariable = "DRIVESHAFT_INHERITED";

// The value of that variable, such as "channel=5,stderr=6,exporter=7".
std::string to_text(const Inheritance& inheritance);
base::Result<Inheritance> parse_inheritance(std::string_view text);

}  // namespace driveshaft::daemon
