// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "config/config.h"
#include "daemon/check_report.h"

namespace driveshaft::daemon {

// --check=online: has each job server send a few bytes back, and opens a connection to each endpoint. Adds a
// row for each. All are asked at the same time. Blocks for 5 s at most. No job is sent.
void check_online(const config::Config& config, std::vector<CheckRow>& rows);

}  // namespace driveshaft::daemon
