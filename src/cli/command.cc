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
#include "net/exceptions.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

using base::Error;

constexpr std::uint16_t kExporterPort = 8888;

bool wants_color() {
  const char* no_color = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (!no_color || *no_color == '\0');
}

base::Result<std::string> get_now(const net::Address& daemon, std::string_view path) {
  asio::io_context io;
  base::Result<std::string> answer = Error{};
  asio::co_spawn(io, get(daemon, path), [&](const std::exception_ptr& bug, base::Result<std::string> got) {
    net::kRethrow(bug);
    answer = std::move(got);
  });
  io.run();
  return answer;
}

// The answer at that path, which has that field, or an exit code; why is on stderr.
std::optional<boost::json::object> ask(const Command& command, std::string_view path,
                                       std::string_view field) {
  const auto answer = get_now(command.daemon, path);
  auto object =
      answer ? parse_answer(*answer, path, field) : base::Result<boost::json::object>(answer.error());
  if (!object) {
    fmt::print(stderr, "driveshaft: {}\n", object.error().message);
    return std::nullopt;
  }
  if (command.json) fmt::print("{}\n", *answer);
  return std::move(*object);
}

void print(const std::vector<std::string>& lines) {
  for (const auto& line : lines) fmt::print("{}\n", line);
  std::fflush(stdout);
}

int print_status(const Command& command) {
  const auto status = ask(command, "/api/v1/status", "well");
  if (!status) return base::kExitUnreachable;
  if (!command.json) print(report(*status, {.color = wants_color()}));
  return status->at("well").as_bool() ? base::kExitOk : base::kExitNotWell;
}

int print_jobs(const Command& command) {
  const auto answer = ask(command, "/api/v1/jobs", "jobs");
  if (!answer) return base::kExitUnreachable;
  if (!command.json) print(job_lines(*answer, command.pool, {.color = wants_color()}));
  return base::kExitOk;
}

int print_failures(const Command& command) {
  std::optional<double> shown;  // the time of the last one that was printed
  while (true) {
    const auto answer = ask(command, "/api/v1/failures", "failures");
    if (!answer) return base::kExitUnreachable;
    if (!command.json) print(failure_lines(*answer, command.pool, {.color = wants_color()}, shown));
    if (!command.follow) return base::kExitOk;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

struct CommandRow {
  std::string_view word;
  Command::Name name;
  std::vector<OptionName> options;
  int (*run)(const Command& command);
};

const OptionName kHelp{"help", ""};
const OptionName kJson{"json", ""};
const OptionName kPool{"pool", "name"};
const OptionName kFollow{"follow", ""};

const std::vector<CommandRow>& rows() {
  using Name = Command::Name;
  static const std::vector<CommandRow> rows{
      {"status", Name::status, {kHelp, kJson}, print_status},
      {"top", Name::top, {kHelp}, [](const Command& command) { return top(command.daemon, wants_color()); }},
      {"jobs", Name::jobs, {kHelp, kJson, kPool}, print_jobs},
      {"failures", Name::failures, {kHelp, kJson, kPool, kFollow}, print_failures},
  };
  return rows;
}

// As --exporter_addr has it: a port alone is one of this host.
base::Result<net::Address> parse_daemon(std::string_view text) {
  const bool port_alone = text.find_first_not_of("0123456789") == text.npos;
  const bool colon_and_port = text.starts_with(':') && text.rfind(':') == 0;
  if (port_alone) return parse_daemon(fmt::format(":{}", text));
  if (colon_and_port) return parse_daemon(fmt::format("127.0.0.1{}", text));
  return net::parse_address(text, kExporterPort);
}

}  // namespace

bool is_command(std::span<const char* const> arguments) {
  return !arguments.empty() && std::any_of(rows().begin(), rows().end(),
                                           [&](const CommandRow& row) { return row.word == arguments[0]; });
}

base::Result<Command> parse_command(std::span<const char* const> arguments) {
  const auto row = std::find_if(rows().begin(), rows().end(),
                                [&](const CommandRow& one) { return one.word == arguments[0]; });
  const auto given = split_arguments(arguments.subspan(1), row->options, row->word);
  if (!given) return given.error();
  Command command;
  command.name = row->name;
  bool has_address = false;
  for (const auto& [option, text] : *given) {
    if (!option) {
      if (text.starts_with('-') || has_address) {
        return Error{fmt::format("unexpected argument \"{}\" of {}; driveshaft {} --help says what it takes",
                                 text::printable(text, 60), row->word, row->word)};
      }
      const auto address = parse_daemon(text);
      if (!address) return address.error();
      command.daemon = *address;
      has_address = true;
    } else if (option->name == kPool.name) {
      command.pool = text;
    } else {
      bool& flag = option->name == kJson.name     ? command.json
                   : option->name == kFollow.name ? command.follow
                                                  : command.help;
      flag = true;
    }
  }
  if (command.follow && command.json) return Error{"failures: --follow and --json exclude each other"};
  return command;
}

std::string help_text() {
  return "driveshaft status [address] [--json]\n"
         "  says how a running daemon fares; exits with 0 if all is well, 8 if not, 9 if it cannot be asked\n"
         "driveshaft top [address]\n"
         "  the same, refreshed every second, until q\n"
         "driveshaft failures [address] [--pool name] [--follow | --json]\n"
         "  the last failed jobs with their reasons, the newest last; --follow goes on with each new one\n"
         "driveshaft jobs [address] [--pool name] [--json]\n"
         "  the running jobs, the oldest first\n"
         "\n"
         "The address is the daemon's --exporter_addr; without one, 127.0.0.1:8888.\n";
}

int run(const Command& command) {
  if (command.help) {
    fmt::print("{}", help_text());
    return base::kExitOk;
  }
  return std::find_if(rows().begin(), rows().end(),
                      [&](const CommandRow& row) { return row.name == command.name; })
      ->run(command);
}

}  // namespace driveshaft::cli
