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

// The commands that send an action to a running daemon, such as `driveshaft pause`. They use the daemon's
// control socket, or its exporter address with a token.
namespace driveshaft::cli {

inline constexpr std::string_view kControlSocket = "/run/driveshaft/control.sock";

struct ControlCommand {
  std::string action;                  // name of the action in the path of the request
  std::string body;                    // body of the request, JSON
  std::string socket{kControlSocket};  // path
  std::optional<Target> target;        // if set, it is used instead of the socket
  bool help = false;

  bool operator==(const ControlCommand&) const = default;
};

std::vector<std::string_view> control_command_names();
bool is_control_command(std::span<const char* const> arguments);
// Requires is_control_command(arguments).
base::Result<ControlCommand> parse_control_command(std::span<const char* const> arguments);
std::string control_help_text();

// Returns the exit code.
int run(const ControlCommand& command);

}  // namespace driveshaft::cli
