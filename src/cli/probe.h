// SPDX-License-Identifier: MIT
#pragma once

#include "cli/probe_options.h"

namespace driveshaft::cli {

// Calls the endpoint with sample jobs, and prints a line for each, with a remedy if something is wrong.
// Returns the exit code. The code that makes requests and reads answers is the daemon's.
int probe(const ProbeOptions& options);

}  // namespace driveshaft::cli
