// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "config/config.h"

namespace driveshaft::daemon {

// Raises the limit of open files, which includes sockets, as far as the process is allowed to. Returns the
// new limit.
std::uint64_t raise_open_file_limit();

// How many files the daemon may have open at once with that jobs file.
std::uint64_t files_needed(const config::Config& config);

// What is said where more are needed than are allowed.
std::string too_few_files(std::uint64_t needed, std::uint64_t allowed);

}  // namespace driveshaft::daemon
