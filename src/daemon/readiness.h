// SPDX-License-Identifier: MIT
#pragma once

#include "admin/routes.h"
#include "dispatch/supervisor.h"

namespace driveshaft::daemon {

// The answer of /readyz. A daemon that takes no jobs because it was told so is ready. `links` is the number
// of connections to gearmand that are up. Pure.
admin::Health readiness(bool draining, dispatch::Wanted wanted, int links);

}  // namespace driveshaft::daemon
