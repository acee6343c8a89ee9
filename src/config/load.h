// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "config/parse.h"

namespace driveshaft::config {

// Checks the files that the configuration names in `tls`, as this user. Returns one line for the operator for
// each error. Blocks while it reads the files.
std::vector<std::string> check_files(const Config& config);

inline constexpr std::size_t kMaxJobsFileSize = 16 * 1024 * 1024;  // bytes

// Reads the file and those that it names, parses it, and checks them; blocks while it reads. A file that
// cannot be read, or is longer than kMaxJobsFileSize, gives one error that names it and why; the errors of
// parse() do not name the file.
base::Result<Parsed, Rejected> load(const std::string& path);

// The content of any file, at most kMaxJobsFileSize bytes.
base::Result<std::string> read_file(const std::string& path);

// The content of a file with a secret: a regular one, of at most kMaxSecretFile bytes.
base::Result<std::string> read_secret_file(const std::string& path);

}  // namespace driveshaft::config
