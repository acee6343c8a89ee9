// SPDX-License-Identifier: MIT
#include "cli/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "base/exit_codes.h"
#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/report.h"
#include "cli/top.h"
#include "net/asio.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

using base::Error;

constexpr std::chrono::seconds kFollowEvery{1};

// Gets the answer at this path, an object that has this field. Nothing: this failed, and the reason was
// printed to stderr.
std::optional<boost::json::object> ask(const Daemon& daemon, std::string_view path, std::string_view field,
                                       bool print_it) {
  asio::io_context io;
  const auto answer = wait_for(io, get(daemon, path));
  auto object =
      answer ? parse_answer(*answer, path, field) : base::Result<boost::json::object>(answer.error());
  if (!object) {
    fmt::print(stderr, "driveshaft: {}\n", object.error().message);
    return std::nullopt;
  }
  if (print_it) fmt::print("{}\n", *answer);
  return std::move(*object);
}

void print(const std::vector<std::string>& lines) {
  for (const auto& line : lines) fmt::print("{}\n", line);
  std::fflush(stdout);
}

int print_status(const Command& command, const Daemon& daemon) {
  const auto status = ask(daemon, "/api/v1/status", "well", command.json);
  if (!status) return base::kExitUnreachable;
  if (!command.json) print(report(*status, {.color = wants_color()}));
  return status->at("well").as_bool() ? base::kExitOk : base::kExitNotWell;
}

// Prints the list at this path; with --follow, once each second. `lines` makes the lines of an answer.
template <class Lines>
int print_list(const Command& command, const Daemon& daemon, std::string_view path, std::string_view field,
               Lines lines) {
  const Style style{.color = wants_color()};
  if (!command.pool.empty()) {
    const auto pools = ask(daemon, "/api/v1/pools", "pools", false);
    if (!pools) return base::kExitUnreachable;
    if (const auto why = unknown_pool(*pools, command.pool)) {
      fmt::print(stderr, "driveshaft: {}\n", *why);
      return base::kExitUsage;
    }
  }
  while (true) {
    const auto answer = ask(daemon, path, field, command.json);
    if (!answer) return base::kExitUnreachable;
    if (!command.json) print(lines(*answer, style));
    if (!command.follow) return base::kExitOk;
    std::this_thread::sleep_for(kFollowEvery);
  }
}

int print_jobs(const Command& command, const Daemon& daemon) {
  std::optional<SeenJobs> seen;
  return print_list(command, daemon, "/api/v1/jobs", "jobs", [&](const auto& answer, const Style& style) {
    return job_lines(answer, command.pool, style, command.follow ? &seen : nullptr);
  });
}

int print_failures(const Command& command, const Daemon& daemon) {
  std::optional<double> shown;  // the time of the last failure that was printed
  return print_list(command, daemon, "/api/v1/failures", "failures",
                    [&](const auto& answer, const Style& style) {
                      return failure_lines(answer, command.pool, style, command.follow ? &shown : nullptr);
                    });
}

struct CommandRow {
  std::string_view word;
  Command::Name name;
  std::vector<OptionName> options;
  int (*run)(const Command& command, const Daemon& daemon);
};

const OptionName kJson{"json", ""};
const OptionName kPool{"pool", "name"};
const OptionName kFollow{"follow", ""};

const std::vector<CommandRow>& command_rows() {
  using Name = Command::Name;
  static const std::vector<CommandRow> rows{
      {"status", Name::status, {kHelp, kUrl, kTokenFile, kCaFile, kJson}, print_status},
      {"top",
       Name::top,
       {kHelp, kUrl, kTokenFile, kCaFile},
       [](const Command&, const Daemon& daemon) { return top(daemon, wants_color()); }},
      {"jobs", Name::jobs, {kHelp, kUrl, kTokenFile, kCaFile, kJson, kPool, kFollow}, print_jobs},
      {"failures", Name::failures, {kHelp, kUrl, kTokenFile, kCaFile, kJson, kPool, kFollow}, print_failures},
  };
  return rows;
}

}  // namespace

bool wants_color() {
  const char* no_color = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (!no_color || *no_color == '\0');
}

std::vector<std::string_view> command_names() {
  std::vector<std::string_view> names;
  for (const auto& row : command_rows()) names.push_back(row.word);
  return names;
}

bool is_command(std::span<const char* const> arguments) {
  return !arguments.empty() && std::any_of(command_rows().begin(), command_rows().end(),
                                           [&](const CommandRow& row) { return row.word == arguments[0]; });
}

base::Result<Command> parse_command(std::span<const char* const> arguments) {
  const auto row = std::find_if(command_rows().begin(), command_rows().end(),
                                [&](const CommandRow& one) { return one.word == arguments[0]; });
  const auto given = split_arguments(arguments.subspan(1), row->options, row->word);
  if (!given) {
    const auto is_control_socket = [](const char* argument) {
      return names_option(argument, "control_socket");
    };
    if (std::ranges::none_of(arguments, is_control_socket)) return given.error();
    return Error{fmt::format(
        "{} does not use the control socket: give the daemon's --exporter_addr as its argument, such "
        "as driveshaft {} 127.0.0.1:{}",
        row->word, row->word, kExporterPort)};
  }
  Command command;
  command.name = row->name;
  bool has_address = false;
  for (const auto& [option, text] : *given) {
    const bool is_url = option && option->name == kUrl.name;
    if (!option || is_url) {
      if (!is_url && (text.starts_with('-') || has_address)) {
        return Error{fmt::format("unexpected argument \"{}\" of {}; driveshaft {} --help says what it takes",
                                 text::printable(text, 60), row->word, row->word)};
      }
      if (has_address)
        return Error{fmt::format("{}: --url and an address name the same; leave one out", row->word)};
      if (const auto read = read_address(command.target, text); !read) return read.error();
      has_address = true;
    } else if (option->name == kTokenFile.name) {
      command.target.token_file = text;
    } else if (option->name == kCaFile.name) {
      command.target.ca_file = text;
    } else if (option->name == kPool.name) {
      command.pool = text;
    } else {
      bool& flag = option->name == kJson.name     ? command.json
                   : option->name == kFollow.name ? command.follow
                                                  : command.help;
      flag = true;
    }
  }
  if (command.follow && command.json) {
    return Error{fmt::format("{}: --follow and --json exclude each other", row->word)};
  }
  return command;
}

std::string help_text() {
  return "driveshaft status [address] [--json]\n"
         "  says whether a running daemon is well; exits with 0 if it is, 8 if not, 9 if no daemon answers\n"
         "driveshaft top [address]\n"
         "  shows the same every second, until q; / filters the pools, t n b f w sort them by trouble, "
         "name,\n"
         "  busy slots, failed and waiting jobs\n"
         "driveshaft failures [address] [--pool name] [--follow | --json]\n"
         "  prints the last failed jobs with their reasons, the newest last; --follow prints each new one\n"
         "  with its time of day\n"
         "driveshaft jobs [address] [--pool name] [--follow | --json]\n"
         "  prints the running jobs, the oldest first; --follow looks every second and prints the new ones,\n"
         "  each once: a shorter job may not be shown, the log has every job\n"
         "\n"
         "The address is the daemon's --exporter_addr (default: 127.0.0.1:8888); --url takes it, too. With "
         "TLS it\n"
         "is https://address, and --ca_file names the authorities that are trusted. If a token is needed,\n"
         "--token_file, or the variable DRIVESHAFT_TOKEN_FILE, names a file with it.\n";
}

int run(const Command& command) {
  if (command.help) {
    fmt::print("{}", help_text());
    return base::kExitOk;
  }
  const auto daemon = reach(command.target);
  if (!daemon) {
    fmt::print(stderr, "driveshaft: {}\n", daemon.error().message);
    return base::kExitUsage;
  }
  return std::find_if(command_rows().begin(), command_rows().end(),
                      [&](const CommandRow& row) { return row.name == command.name; })
      ->run(command, *daemon);
}

}  // namespace driveshaft::cli
