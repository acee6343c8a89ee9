// SPDX-License-Identifier: MIT
#pragma once

#include "cli/client.h"

namespace driveshaft::cli {

// Shows the daemon's status on the terminal, a new one every second, until q or a signal. If the daemon ends,
// `top` waits for it. Returns the exit code.
int top(const Daemon& daemon, bool color);

}  // namespace driveshaft::cli
