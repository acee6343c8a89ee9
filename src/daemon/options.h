// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "log/log.h"
#include "net/address.h"

namespace driveshaft::daemon {

// The command line, with every default. Paths are absolute once parsed: a daemon changes its directory.
struct Options {
  bool help = false;
  bool version = false;
  bool check = false;
  std::string user;      // empty: the user does not change
  std::string pid_file;  // empty: none
  bool daemonize = false;
  std::string jobs_config;
  std::string log_config;  // empty: logs go to stderr in log_format, from log_level on
  log::Format log_format = log::Format::text;
  log::Level log_level = log::Level::info;
  std::chrono::seconds max_running_time{3600};
  std::chrono::seconds loop_timeout{10};
  std::optional<std::chrono::seconds> shutdown_timeout;                  // none: drain_window() says
  std::optional<net::Address> exporter = net::Address{"0.0.0.0", 8888};  // none: no admin server

  bool operator==(const Options&) const = default;
};

// One option. `set` reads a value into the struct; `value` writes the value as a user would.
struct OptionRow {
  std::string_view name;
  std::string_view argument;  // what the value is called in the help; empty for a flag
  std::string_view description;
  base::Result<void> (*set)(Options& options, const std::string& text);
  std::string (*value)(const Options& options);
};

// Every option there is, in the order of the help.
std::span<const OptionRow> option_table();

// `arguments` are those after the program's name. With --help or --version nothing else is required.
base::Result<Options> parse_options(std::span<const char* const> arguments);

// How long a drain waits for running jobs. `patient` is SIGUSR1's, which without --shutdown_timeout waits
// twice as long.
std::chrono::seconds drain_window(const Options& options, bool patient);

// The text of --help.
std::string help_text();

}  // namespace driveshaft::daemon
