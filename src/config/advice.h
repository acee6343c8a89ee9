// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace driveshaft::config {

// What a good jobs file may not have meant: a line for the operator each, in the order of the file's pools.
// `request_format_is_set`: at the top level or in a pool.
std::vector<std::string> advice(const Config& config, bool request_format_is_set);

}  // namespace driveshaft::config
