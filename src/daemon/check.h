// SPDX-License-Identifier: MIT
#pragma once

#include "daemon/options.h"

namespace driveshaft::daemon {

// --check: prints whether a start with these options, by this user, would go well, and what is wrong. Nothing
// is started, written or left behind. With options.check_online job servers and endpoints are connected to as
// well. Returns the exit code.
int check(const Options& options);

}  // namespace driveshaft::daemon
