// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "dispatch/supervisor.h"

// What passes between a process that hands over to a newer one, and that one. Pure.
namespace driveshaft::daemon {

// A message over the socket that the two share: a line of JSON. Members that a version does not know are
// skipped, and so are messages.
struct Message {
  enum class Kind {
    // The new process says:
    not_executed,  // the program could not be started: `number` is why, an errno
    ready,         // its files are read; it waits for `go`, and takes no jobs
    failed,        // it ends: `text` is why
    serving,       // it takes jobs, has the pid file and answers on the sockets; `text` is its version
    // The old process says:
    go,            // take over: with the `pauses` in force; `number` connections to gearmand are up
    main_process,  // the service manager has been told of the new one
    // The new process says, as long as the old one finishes its jobs:
    drain,        // the service ends: finish within `window`
    reopen_logs,  // the log files were rotated
  };

  Kind kind;
  std::string text = {};
  long number = 0;
  std::chrono::milliseconds window{0};
  dispatch::Supervisor::AllPauses pauses = {};
};

using SteadyTime = std::chrono::steady_clock::time_point;

// With the line's end. The clock of the pauses is that of `now`.
std::string to_line(const Message& message, SteadyTime now);
// Without it. Nothing for what this version does not know.
std::optional<Message> parse_line(std::string_view line, SteadyTime now);

// The descriptors that the new process inherits, -1: none. All others are closed.
struct Inheritance {
  int channel = -1;  // the socket for messages
  int stderr_before =
      -1;  // what stderr is again once the new process serves; until then it is a pipe to the old one
  int exporter = -1;  // a listening socket
  int control = -1;   // likewise
  int pid_file = -1;

  bool operator==(const Inheritance&) const = default;
};

// Set for the new process alone, which removes it from its environment.
inline constexpr const char* kInheritanceVariable = "DRIVESHAFT_INHERITED";

// "channel=5,exporter=7": the value of that variable.
std::string to_text(const Inheritance& inheritance);
base::Result<Inheritance> parse_inheritance(std::string_view text);

}  // namespace driveshaft::daemon
