// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <span>

#include "base/exit_codes.h"
#include "base/stderr.h"
#include "cli/command.h"
#include "cli/probe.h"
#include "daemon/daemon.h"
#include "daemon/options.h"

int main(int argc, char** argv) {
  using namespace driveshaft;
  const std::span<const char* const> arguments(argv + std::min(argc, 1), argv + argc);
  try {
    if (cli::is_probe(arguments)) {
      const auto options = cli::parse_probe(arguments);
      if (options) return cli::probe(*options);
      base::write_to_stderr("driveshaft: " + options.error().message);
      return base::kExitUsage;
    }
    if (cli::is_command(arguments)) {
      const auto command = cli::parse_command(arguments);
      if (command) return cli::run(*command);
      base::write_to_stderr("driveshaft: " + command.error().message);
      return base::kExitUsage;
    }
    const auto options = daemon::parse_options(arguments);
    if (!options) {
      base::write_to_stderr("driveshaft: " + options.error().message);
      return base::kExitUsage;
    }
    if (options->help) {
      fmt::print(
          "{}\nCommands that look at a running daemon:\n\n{}\ndriveshaft probe URI\n  tries an endpoint with "
          "sample "
          "jobs; driveshaft probe --help says more\n",
          daemon::help_text(), cli::help_text());
      return base::kExitOk;
    }
    if (options->version) {
      fmt::print("driveshaft {}\n", DRIVESHAFT_VERSION);
      return base::kExitOk;
    }
    return daemon::run(*options);
  } catch (const base::StartupError& error) {
    base::write_to_stderr(fmt::format("driveshaft: {}", error.what()));
    return error.exit_code();
  } catch (const std::exception& bug) {
    base::write_to_stderr(fmt::format("driveshaft: internal error: {}", bug.what()));
    return base::kExitInternal;
  }
}
