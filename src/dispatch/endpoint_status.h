// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "dispatch/status.h"

namespace driveshaft::dispatch {

// What is said of an endpoint with these backends, of which there is at least one unless it is retired. Pure.
// `held` jobs wait for any of them; it is given `most` jobs at once, whatever the backends may have.
EndpointStatus endpoint_status(std::vector<BackendStatus> backends, int held, int most);

// It only finishes its jobs.
bool drains(const BackendStatus& backend);

// How many do not.
std::size_t count_of_lasting(const std::vector<BackendStatus>& backends);

// Whether all backends have the weight 0, so that no job is taken for it.
bool has_no_weight(const EndpointStatus& endpoint);

// Neither failing nor away; one that has not been tried counts.
bool works(const BackendStatus& backend);

}  // namespace driveshaft::dispatch
