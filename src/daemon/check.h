// SPDX-License-Identifier: MIT
#pragma once

#include "daemon/options.h"

namespace driveshaft::daemon {

// --check: prints whether a daemon that this user starts with these options would run, and what is wrong.
// Nothing is started, and no file is written or left behind. With options.check_online, this also connects to
// job servers and endpoints. Returns the exit code.
int check(const Options& options);

}  // namespace driveshaft::daemon
