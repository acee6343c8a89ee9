// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "daemon/handover.h"

namespace driveshaft::daemon {

// How this process was started, so that an upgrade can start the new one in the same way.
struct Program {
  std::string path;  // absolute; if it is a link, the new process runs what the link names when it is started
  std::vector<std::string> arguments;  // without the program's name; paths in them are absolute
};

// `arguments` must be those of a command line that parse_options() accepts. Call this before the process
// changes its directory.
Program this_program(std::span<const char* const> arguments);

// A process that launch() has started. The caller owns the descriptors.
struct Launched {
  pid_t pid = 0;
  int process = -1;  // a pidfd
  int channel = -1;  // this process's end of the socket for messages
  int errors = -1;   // read end of the pipe that is the new process's stderr; nonblocking
};

// Starts the program with the descriptors of `inheritance` and no others. launch() makes the channel and
// stderr_before itself. The new process is a sibling of this one, not a child: so whatever watches this
// process, such as systemd, also watches the new one and reaps it. If the program cannot be executed, the
// channel says `not_executed`. Blocks the calling thread until the program has been loaded, about a
// millisecond. The error says which system call failed.
base::Result<Launched> launch(const Program& program, Inheritance inheritance);

// Sends a signal to the process if it still runs.
void send_signal(const Launched& launched, int signal);

}  // namespace driveshaft::daemon
