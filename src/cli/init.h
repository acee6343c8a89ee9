// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include "base/error.h"

// `driveshaft init`: writes a first jobs file.
namespace driveshaft::cli {

struct InitOptions {
  std::string folder = ".";  // as the user wrote it
  bool help = false;

  bool operator==(const InitOptions&) const = default;
};

// Whether the arguments begin with `init`. `arguments` does not contain the program's name.
bool is_init(std::span<const char* const> arguments);
// Requires is_init(arguments).
base::Result<InitOptions> parse_init(std::span<const char* const> arguments);

std::string init_help_text();

// Returns the exit code.
int init(const InitOptions& options);

}  // namespace driveshaft::cli
