// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <span>
#include <system_error>

#include "base/exit_codes.h"
#include "base/stderr.h"
#include "cli/command.h"
#include "cli/control.h"
#include "cli/init.h"
#include "cli/letters.h"
#include "cli/probe.h"
#include "daemon/daemon.h"
#include "daemon/options.h"

namespace {

int run_daemon(const driveshaft::daemon::Options& options, std::span<const char* const> arguments) {
  using namespace driveshaft;
  if (options.help) {
    fmt::print(
        "{}\nCommands that show a running daemon:\n\n{}\nCommands that change a running daemon:\n\n{}\n"
        "driveshaft init [FOLDER]\n  writes a first jobs file; see driveshaft init --help\n"
        "driveshaft letters list | show | rerun | delete\n  shows dead letters, runs their jobs again, "
        "deletes them; see "
        "driveshaft letters --help\n"
        "driveshaft probe URI\n  tests an endpoint with sample jobs; see driveshaft probe --help\n",
        daemon::help_text(), cli::help_text(), cli::control_help_text());
    return base::kExitOk;
  }
  if (options.version) {
    fmt::print("driveshaft {}\n", DRIVESHAFT_VERSION);
    return base::kExitOk;
  }
  return daemon::run(options, daemon::this_program(arguments));
}

int internal_error(const std::exception& bug) {
  using namespace driveshaft;
  base::write_to_stderr(fmt::format("driveshaft: internal error: {}", bug.what()));
  return base::kExitInternal;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace driveshaft;
  const std::span<const char* const> arguments(argv + std::min(argc, 1), argv + argc);
  // OpenSSL writes to connections that the other side may have closed.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const auto run = [](const auto& parsed, auto act) -> int {
      if (parsed) return act(*parsed);
      base::write_to_stderr("driveshaft: " + parsed.error().message);
      return base::kExitUsage;
    };
    if (cli::is_probe(arguments)) return run(cli::parse_probe(arguments), cli::probe);
    if (cli::is_init(arguments)) return run(cli::parse_init(arguments), cli::init);
    if (cli::is_letters(arguments)) {
      return run(cli::parse_letters(arguments), [](const auto& options) { return cli::run(options); });
    }
    if (cli::is_command(arguments)) {
      return run(cli::parse_command(arguments), [](const auto& command) { return cli::run(command); });
    }
    if (cli::is_control_command(arguments)) {
      return run(cli::parse_control_command(arguments),
                 [](const auto& command) { return cli::run(command); });
    }
    return run(daemon::parse_options(arguments),
               [&](const auto& options) { return run_daemon(options, arguments); });
  } catch (const base::StartupError& error) {
    base::write_to_stderr(fmt::format("driveshaft: {}", error.what()));
    return error.exit_code();
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::broken_pipe) return internal_error(error);
    // Nobody reads stdout any more, as in `driveshaft status | head -1`. The program ends as others do then.
    std::signal(SIGPIPE, SIG_DFL);
    return std::raise(SIGPIPE);
  } catch (const std::exception& bug) {
    return internal_error(bug);
  }
}
