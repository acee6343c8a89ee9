// SPDX-License-Identifier: MIT
#pragma once

#include "admin/routes.h"
#include "dispatch/supervisor.h"

namespace driveshaft::daemon {

// What /readyz says. A daemon that takes no jobs because it was told so does what it should, and is ready.
// `links`: connections to gearmand that are up. Pure.
admin::Health readiness(bool draining, dispatch::Wanted wanted, int links);

}  // namespace driveshaft::daemon
