// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include "base/error.h"

// `driveshaft init`: writes a jobs file to begin with.
namespace driveshaft::cli {

struct InitOptions {
  std::string folder = ".";  // as the user wrote it
  bool help = false;

  bool operator==(const InitOptions&) const = default;
};

// Whether the arguments, those after the program's name, begin with its name.
bool is_init(std::span<const char* const> arguments);
// Those of which is_init() is true.
base::Result<InitOptions> parse_init(std::span<const char* const> arguments);

std::string init_help_text();

// Returns the exit code.
int init(const InitOptions& options);

}  // namespace driveshaft::cli
