// SPDX-License-Identifier: MIT
#pragma once

#include "cli/client.h"

namespace driveshaft::cli {

// Shows the daemon's status on the terminal, and renews it every second, until the key q or a signal ends it.
// While the daemon does not answer, `top` goes on trying. Returns the exit code.
int top(const Daemon& daemon, bool color);

}  // namespace driveshaft::cli
