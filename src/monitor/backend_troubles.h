// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "dispatch/status.h"

namespace driveshaft::monitor {

// Which backends of an endpoint that has several do not work, and why: "1 of 3 backends does not work: …".
// Empty: all work. Those of weight 0 do not count, as they are given no jobs. `facts` about all of them, see
// in_brackets(), stand before the reasons, which may be long. Pure.
std::string backend_troubles(const dispatch::EndpointStatus& endpoint, dispatch::SteadyTime now,
                             std::string_view facts);

// " (next try in 3 s; 1 job is held)": the facts that are not empty, or nothing.
std::string in_brackets(std::initializer_list<std::string> facts);

// "next try in 3 s", or nothing.
std::string next_try(const std::optional<dispatch::SteadyTime>& at, dispatch::SteadyTime now);

}  // namespace driveshaft::monitor
