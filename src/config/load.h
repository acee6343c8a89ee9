// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "config/parse.h"

namespace driveshaft::config {

inline constexpr std::size_t kMaxJobsFileSize = 16 * 1024 * 1024;  // bytes

// Reads the file and parses it; blocks while it reads. A file that cannot be read, or is longer than
// kMaxJobsFileSize, gives one error that names it and why; the errors of parse() do not name the file.
base::Result<Parsed, Rejected> load(const std::string& path);

}  // namespace driveshaft::config
