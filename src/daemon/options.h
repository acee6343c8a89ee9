// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/command.h"
#include "log/log.h"
#include "net/address.h"

namespace driveshaft::daemon {

// The command line, with every default. Paths are absolute once parsed: a daemon changes its directory.
struct Options {
  bool help = false;
  bool version = false;
  bool check = false;
  bool check_online = false;  // the check asks servers and endpoints, too
  std::string user;           // empty: the user does not change
  std::string pid_file;       // empty: none
  bool daemonize = false;
  std::string jobs_config;
  std::string log_config;  // empty: logs go to stderr in log_format, from log_level on
  log::Format log_format = log::Format::text;
  log::Level log_level = log::Level::info;
  std::chrono::milliseconds max_running_time{3'600'000};
  std::chrono::milliseconds loop_timeout{10'000};
  std::optional<std::chrono::milliseconds> shutdown_timeout;  // none: drain_window() says
  std::optional<net::Address> exporter =
      net::Address{"0.0.0.0", cli::kExporterPort};  // none: nothing is served there
  std::vector<std::string> exporter_hosts;  // names that it answers to, besides those that it knows itself
  std::string exporter_certificate_file;    // with which the exporter speaks TLS; empty: plain text
  std::string exporter_key_file;            // empty if and only if that is
  std::string read_token_file;   // of what clients of the exporter show to read; empty: they need none
  std::string admin_token_file;  // of what they show to act; empty: they cannot
  std::string control_socket;    // empty: none

  bool operator==(const Options&) const = default;
};

// One option. `set` reads a value into the struct; `value` writes the value as a user would.
struct OptionRow {
  std::string_view name;
  std::string_view argument;  // what the value is called in the help; empty for a flag
  std::string_view description;
  base::Result<void> (*set)(Options& options, const std::string& text);
  std::string (*value)(const Options& options);
  std::string_view choice = {};  // of a flag: what may stand behind it and a `=`
};

// Every option there is, in the order of the help.
std::span<const OptionRow> option_table();

// `arguments` are those after the program's name. With --help or --version nothing else is required.
base::Result<Options> parse_options(std::span<const char* const> arguments);

// The same arguments, from an own process's point of view: its paths are absolute, so they mean the same in
// any directory. `arguments` are those of a parse_options() that went well.
std::vector<std::string> absolute_arguments(std::span<const char* const> arguments);

// How long a drain waits for running jobs. `patient` is SIGUSR1's, which without --shutdown_timeout waits
// twice as long.
std::chrono::milliseconds drain_window(const Options& options, bool patient);

// The text of --help.
std::string help_text();

}  // namespace driveshaft::daemon
