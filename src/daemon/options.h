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

// The options of the command line, with all defaults. Paths are absolute once parsed, because a daemon
// changes its directory.
struct Options {
  bool help = false;
  bool version = false;
  bool check = false;
  bool check_online = false;  // the check connects to servers and endpoints, too
  std::string user;           // empty: the user does not change
  std::string pid_file;       // empty: none
  bool daemonize = false;
  std::string jobs_config;
  std::string log_config;  // empty: the log goes to stderr, in log_format and from log_level on
  log::Format log_format = log::Format::text;
  log::Level log_level = log::Level::info;
  std::chrono::milliseconds max_running_time{3'600'000};
  std::chrono::milliseconds loop_timeout{10'000};
  std::optional<std::chrono::milliseconds> shutdown_timeout;  // nothing: see drain_window()
  // Nothing: there is no exporter address.
  std::optional<net::Address> exporter = net::Address{"0.0.0.0", cli::kExporterPort};
  // Host names that the exporter answers to, besides those that it knows itself.
  std::vector<std::string> exporter_hosts;
  std::string exporter_certificate_file;  // PEM file; empty: the exporter does not use TLS
  std::string exporter_key_file;          // empty if and only if the certificate's is
  std::string read_token_file;            // token with which clients may read; empty: everybody may
  std::string admin_token_file;           // token with which clients may act; empty: nobody may
  std::string control_socket;             // empty: none

  bool operator==(const Options&) const = default;
};

// One option. `set` reads a value into Options; `value` writes the value as a user would.
struct OptionRow {
  std::string_view name;
  std::string_view argument;  // name of the value in the help; empty for a flag
  std::string_view description;
  base::Result<void> (*set)(Options& options, const std::string& text);
  std::string (*value)(const Options& options);
  std::string_view choice = {};  // of a flag: the only value that it may be given, as in --flag=value
};

// All options, in the order of the help.
std::span<const OptionRow> option_table();

// `arguments` are those after the program's name. With --help or --version no option is required. The error
// is a message for the user.
base::Result<Options> parse_options(std::span<const char* const> arguments);

// The same arguments with absolute paths, so that they mean the same in any directory. parse_options() must
// have accepted `arguments`.
std::vector<std::string> absolute_arguments(std::span<const char* const> arguments);

// How long a drain waits for running jobs: --shutdown_timeout, or a multiple of --loop_timeout. `patient` is
// for SIGUSR1, which waits twice as long without --shutdown_timeout.
std::chrono::milliseconds drain_window(const Options& options, bool patient);

// The text of --help.
std::string help_text();

}  // namespace driveshaft::daemon
