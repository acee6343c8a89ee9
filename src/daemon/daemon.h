// SPDX-License-Identifier: MIT
#pragma once

#include "daemon/launch.h"
#include "daemon/options.h"

namespace driveshaft::daemon {

// Runs the whole program and returns its exit code. It makes every part, in an order that gives each what it
// needs (sockets and files before privileges are dropped, threads after any fork), and runs the loop until
// the daemon ends. An upgrade starts `program`. Throws base::StartupError while starting.
int run(const Options& options, const Program& program);

}  // namespace driveshaft::daemon
