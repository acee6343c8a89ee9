// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace driveshaft::config {

// Hints about settings of a valid jobs file that may be a mistake: one line for the operator each, in the
// order of the file's pools. `request_format_is_set`: the file sets it, at the top level or in a pool. Pure.
std::vector<std::string> advice(const Config& config, bool request_format_is_set);

}  // namespace driveshaft::config
