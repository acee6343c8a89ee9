// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <span>

#include "base/exit_codes.h"
#include "base/stderr.h"
#include "cli/command.h"
#include "daemon/daemon.h"
#include "daemon/options.h"

int main(int argc, char** argv) {
  using namespace driveshaft;
  const std::span<const char* const> arguments(argv + std::min(argc, 1), argv + argc);
  try {
    if (cli::is_command(arguments)) {
      const auto command = cli::parse_command(arguments);
      if (command) return cli::run(*command);
      base::tell_stderr("driveshaft: " + command.error().message);
      return base::kExitUsage;
    }
    const auto options = daemon::parse_options(arguments);
    if (!options) {
      base::tell_stderr("driveshaft: " + options.error().message);
      return base::kExitUsage;
    }
    if (options->help) {
      fmt::print("{}\nCommands that look at a running daemon:\n\n{}", daemon::help_text(), cli::help_text());
      return base::kExitOk;
    }
    if (options->version) {
      fmt::print("driveshaft {}\n", DRIVESHAFT_VERSION);
      return base::kExitOk;
    }
    return daemon::run(*options);
  } catch (const base::StartupError& error) {
    base::tell_stderr(fmt::format("driveshaft: {}", error.what()));
    return error.exit_code();
  } catch (const std::exception& bug) {
    base::tell_stderr(fmt::format("driveshaft: internal error: {}", bug.what()));
    return base::kExitInternal;
  }
}
