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

// The path of the jobs file in the Debian package.
inline constexpr std::string_view kJobsFile = "/etc/driveshaft/jobs.json";

// The command line of `driveshaft letters`, with every default.
struct LettersOptions {
  enum class Verb { list, show, rerun, delete_them };
  Verb verb = Verb::list;
  std::string jobs_file;               // empty: kJobsFile, if a jobs file is needed
  std::vector<net::Address> servers;   // empty: the servers of the jobs file
  std::vector<std::string> functions;  // dead letter functions; empty: those of the jobs file
  letters::Selection selection;        // without conditions: all letters
  bool dry_run = false;
  bool json = false;
  bool raw = false;
  std::chrono::milliseconds timeout{30'000};
  bool help = false;

  // Whether the jobs file is named, or has to say what the command line does not.
  bool needs_jobs_file() const { return !jobs_file.empty() || servers.empty() || functions.empty(); }
};

// Whether the arguments begin with `letters`. `arguments` does not contain the program's name.
bool is_letters(std::span<const char* const> arguments);

// Requires is_letters(arguments).
base::Result<LettersOptions> parse_letters(std::span<const char* const> arguments);

std::string letters_help_text();

// Every option with its argument, as in "limit number", in the order of the help.
std::vector<std::string> letters_option_names();

// Takes the servers and functions from the options. If the options name no server, or no function, those of
// the jobs file are taken. A server that the jobs file names has the TLS settings that stand there. `config`
// is null if no jobs file is needed. Pure.
base::Result<letters::Order> order_of(const LettersOptions& options, const config::Config* config);

}  // namespace driveshaft::cli
