// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "config/config.h"

namespace driveshaft::daemon {

// Raises the limit of open files, which includes sockets, as far as the process may. Returns the limit that
// holds now.
std::uint64_t raise_open_file_limit();

// How many files the daemon may have open at once with this jobs file.
std::uint64_t files_needed(const config::Config& config);

// The message for a daemon that needs more files than it may open.
std::string too_few_files(std::uint64_t needed, std::uint64_t allowed);

}  // namespace driveshaft::daemon
