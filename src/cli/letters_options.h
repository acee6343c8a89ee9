// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "letters/account.h"
#include "letters/run.h"
#include "net/address.h"

namespace driveshaft::cli {

// Where the Debian package has it.
inline constexpr std::string_view kJobsFile = "/etc/driveshaft/jobs.json";

// The command line of `driveshaft letters`, with every default.
struct LettersOptions {
  enum class Verb { list, show, rerun, delete_them };
  Verb verb = Verb::list;
  std::string jobs_file;               // empty: kJobsFile, if it is needed
  std::vector<net::Address> servers;   // empty: those of the jobs file
  std::vector<std::string> functions;  // dead letter functions; empty: those of the jobs file
  letters::Selection selection;        // empty for all
  bool dry_run = false;
  bool json = false;
  bool raw = false;
  std::chrono::milliseconds patience{30'000};
  bool help = false;

  // Whether the jobs file says what the command line does not.
  bool needs_jobs_file() const { return !jobs_file.empty() || servers.empty() || functions.empty(); }
};

// Whether the arguments, those after the program's name, are of this command.
bool is_letters(std::span<const char* const> arguments);

// Those of which is_letters() is true.
base::Result<LettersOptions> parse_letters(std::span<const char* const> arguments);

std::string letters_help_text();

// Every option with its argument, as in "limit number", in the order of the help.
std::vector<std::string> letters_option_names();

// The servers and functions: those of the options, and those of the jobs file where the options name none. A
// server that is in the jobs file has its TLS settings. `config` is null where no jobs file is needed. Pure.
base::Result<letters::Order> order_of(const LettersOptions& options, const config::Config* config);

}  // namespace driveshaft::cli
