// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/target.h"

// The commands that have a running daemon do something, over its control socket, or with a token over its
// exporter address: `driveshaft pause` and others.
namespace driveshaft::cli {

inline constexpr std::string_view kControlSocket = "/run/driveshaft/control.sock";

struct ControlCommand {
  std::string action;  // as in the path of the request
  std::string body;    // of the request, JSON
  std::string socket{kControlSocket};
  std::optional<Target> target;  // is asked instead of the socket
  bool help = false;

  bool operator==(const ControlCommand&) const = default;
};

std::vector<std::string_view> control_command_names();
bool is_control_command(std::span<const char* const> arguments);
// Those of which is_control_command() is true.
base::Result<ControlCommand> parse_control_command(std::span<const char* const> arguments);
std::string control_help_text();

// Returns the exit code.
int run(const ControlCommand& command);

}  // namespace driveshaft::cli
