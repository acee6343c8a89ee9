// SPDX-License-Identifier: MIT
#pragma once

namespace driveshaft::base {

// The exit codes of the process; a StartupError carries one. docs/command-line.md documents them. Scripts
// rely on the numbers: a new code gets a new number, and none changes its meaning.
enum ExitCode : int {
  kExitOk = 0,          // everything was done; a drain that ended within its window is this, too
  kExitConfig = 1,      // the jobs file is missing or broken, at the start or under --check
  kExitFindings = 1,    // probe: the endpoint does not conform
  kExitNotWritten = 1,  // init: a file is there already, or cannot be written
  kExitNotAll = 1,      // letters: a letter stays, or a server could not be asked
  kExitUsage = 2,       // the command line is wrong
  kExitExporter = 3,    // --exporter_addr cannot be bound
  kExitPidFile = 4,     // --pid_file is held by a live process or cannot be written
  kExitUser = 5,        // --user is unknown, or the process may not become it
  kExitLogConfig = 6,   // --logconfig is missing or broken
  kExitInternal = 7,    // a bug, or a resource of the machine that ran out
  // Of `driveshaft status`:
  kExitNotWell = 8,      // the daemon reports a problem
  kExitUnreachable = 9,  // no daemon could be asked
  kExitNotDone = 10,     // of `driveshaft pause` and others: the daemon did not do it
  kExitNoAnswer = 11,    // --check=online: a job server or an endpoint cannot be reached
};

}  // namespace driveshaft::base
