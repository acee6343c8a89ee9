// SPDX-License-Identifier: MIT
#pragma once

#include "daemon/launch.h"
#include "daemon/options.h"

namespace driveshaft::daemon {

// The whole program, from its options to its exit code: makes every part, in an order that gives each what it
// needs (sockets and files before privileges are dropped, threads after any fork), runs the loop and brings
// it to rest. Throws base::StartupError while starting.
// `program`: what an upgrade starts.
int run(const Options& options, const Program& program);

}  // namespace driveshaft::daemon
