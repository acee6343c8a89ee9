// SPDX-License-Identifier: MIT
#pragma once

#include "cli/probe_options.h"

namespace driveshaft::cli {

// Calls the endpoint with sample jobs, prints a line for each, with a remedy where something is wrong, and
// returns the exit code. What it sends and how it reads answers is the daemon's own code.
int probe(const ProbeOptions& options);

}  // namespace driveshaft::cli
