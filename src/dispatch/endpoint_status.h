// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "dispatch/status.h"

namespace driveshaft::dispatch {

// The status of an endpoint with these backends. There is at least one, unless the endpoint is retired.
// `held` jobs wait for any of them. The endpoint gets at most `most` jobs at once, whatever the limits of the
// backends are. Pure.
EndpointStatus endpoint_status(std::vector<BackendStatus> backends, int held, int most);

// Whether the backend takes no more jobs and only finishes those that it has.
bool drains(const BackendStatus& backend);

// The number of backends that do not drain.
std::size_t count_of_lasting(const std::vector<BackendStatus>& backends);

// Whether all backends have the weight 0, so that no job is taken for the endpoint.
bool has_no_weight(const EndpointStatus& endpoint);

// Whether the backend is neither failing nor away. One that was not tried yet counts as working.
bool works(const BackendStatus& backend);

}  // namespace driveshaft::dispatch
