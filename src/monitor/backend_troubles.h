// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "dispatch/status.h"

namespace driveshaft::monitor {

// Which backends of an endpoint that has several do not work, and why: "1 of 3 backends does not work: …".
// Empty: all work. Those of weight 0 do not count, as they are given no jobs. Pure.
std::string backend_troubles(const dispatch::EndpointStatus& endpoint, dispatch::SteadyTime now);

// " (next try in 3 s)", or nothing.
std::string next_try(const std::optional<dispatch::SteadyTime>& at, dispatch::SteadyTime now);

}  // namespace driveshaft::monitor
