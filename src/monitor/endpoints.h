// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "monitor/snapshot.h"

// What a snapshot says of the endpoints of its pools.
namespace driveshaft::monitor {

// An endpoint of a pool, with the functions whose jobs go there.
struct ServedEndpoint {
  const dispatch::EndpointStatus& status;
  std::string uri;  // as it may be shown
  std::vector<std::string> functions;
};

// The pool's own endpoint comes first. Valid as long as `pool`.
std::vector<ServedEndpoint> endpoints_of(const dispatch::PoolStatus& pool);

// One line, which begins with a line break, for each pool that takes no jobs, or none of some functions,
// because of an endpoint. Pure.
std::string outages_text(const Snapshot& snapshot, SteadyTime now);

}  // namespace driveshaft::monitor
