// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "daemon/handover.h"

namespace driveshaft::daemon {

// How this process was started, so that a newer one can be started in the same way.
struct Program {
  std::string path;                    // absolute, as it was given: a link leads to what it names by then
  std::vector<std::string> arguments;  // without the program's name; they mean the same in any directory
};

// `arguments` are those of a command line that is right. Before the directory changes.
Program this_program(std::span<const char* const> arguments);

// A process of a program that was started by launch(). The descriptors are the caller's.
struct Launched {
  pid_t pid = 0;
  int process = -1;  // a pidfd
  int channel = -1;  // our end of the socket for messages
  int errors = -1;   // what it writes to stderr, nonblocking
};

// Starts the program with these descriptors and no others, as a sibling of this process: so whoever watches
// over this process, such as systemd, will watch over the other, and reaps it. `inheritance` has none for
// channel and stderr_before, which are made here. If the program cannot be executed, the channel says
// `not_executed`. The calling thread waits until the program has been loaded, about a millisecond.
base::Result<Launched> launch(const Program& program, Inheritance inheritance);

// If it still runs.
void send_signal(const Launched& launched, int signal);

}  // namespace driveshaft::daemon
