// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <exception>
#include <span>

#include "base/exit_codes.h"
#include "base/stderr.h"
#include "daemon/daemon.h"
#include "daemon/options.h"

int main(int argc, char** argv) {
  using namespace driveshaft;
  try {
    const auto options = daemon::parse_options(std::span<const char* const>(argv + 1, argv + argc));
    if (!options) {
      base::tell_stderr("driveshaft: " + options.error().message);
      return base::kExitUsage;
    }
    if (options->help) {
      fmt::print("{}", daemon::help_text());
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
