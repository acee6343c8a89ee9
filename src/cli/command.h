// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "net/address.h"

// The commands that look at a running daemon, from any host: `driveshaft status`, `top`, `jobs` and
// `failures`.
namespace driveshaft::cli {

struct Command {
  enum class Name { status, top, jobs, failures };
  Name name = Name::status;
  net::Address daemon{"127.0.0.1", 8888};
  std::string pool;     // jobs, failures: of this pool alone; empty: of all
  bool json = false;    // the answer as it came
  bool follow = false;  // failures: goes on with each new one
  bool help = false;

  bool operator==(const Command&) const = default;
};

// Whether the arguments, those after the program's name, begin with a command's name.
bool is_command(std::span<const char* const> arguments);

// Those of which is_command() is true.
base::Result<Command> parse_command(std::span<const char* const> arguments);

std::string help_text();

// Returns the exit code.
int run(const Command& command);

}  // namespace driveshaft::cli
