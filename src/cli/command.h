// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/target.h"

// The commands that look at a running daemon, from any host: `driveshaft status`, `top`, `jobs` and
// `failures`.
namespace driveshaft::cli {

struct Command {
  enum class Name { status, top, jobs, failures };
  Name name = Name::status;
  Target target;
  std::string pool;     // jobs, failures: of this pool alone; empty: of all
  bool json = false;    // the answer as it came
  bool follow = false;  // jobs, failures: goes on with each new one
  bool help = false;

  bool operator==(const Command&) const = default;
};

std::vector<std::string_view> command_names();
// Whether the arguments, those after the program's name, begin with a command's name.
bool is_command(std::span<const char* const> arguments);

// Those of which is_command() is true.
base::Result<Command> parse_command(std::span<const char* const> arguments);

std::string help_text();

// Whether colours are wanted on stdout.
bool wants_color();

// Returns the exit code.
int run(const Command& command);

}  // namespace driveshaft::cli
