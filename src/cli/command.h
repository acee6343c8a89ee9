// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/target.h"

// The commands that show the state of a running daemon, on any host: `driveshaft status`, `top`, `jobs` and
// `failures`.
namespace driveshaft::cli {

struct Command {
  enum class Name { status, top, jobs, failures };
  Name name = Name::status;
  Target target;
  std::string pool;     // jobs, failures: only those of this pool are listed; empty: those of all pools
  bool json = false;    // the daemon's answer is printed unchanged
  bool follow = false;  // jobs, failures: the command goes on, and prints new ones
  bool help = false;

  bool operator==(const Command&) const = default;
};

std::vector<std::string_view> command_names();
// Whether the arguments begin with the name of one of these commands. `arguments` does not contain the
// program's name.
bool is_command(std::span<const char* const> arguments);

// Requires is_command(arguments).
base::Result<Command> parse_command(std::span<const char* const> arguments);

std::string help_text();

// Whether the output to stdout should have colours.
bool wants_color();

// Returns the exit code.
int run(const Command& command);

}  // namespace driveshaft::cli
