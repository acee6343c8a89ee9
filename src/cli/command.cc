// SPDX-License-Identifier: MIT
#include "cli/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "base/exit_codes.h"
#include "cli/client.h"
#include "cli/report.h"
#include "cli/top.h"
#include "net/asio.h"
#include "net/exceptions.h"

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

int print_status(const Command& command) {
  const auto answer = get_now(command.daemon, "/api/v1/status");
  const auto status = answer ? parse_status(*answer) : base::Result<boost::json::object>(answer.error());
  if (!status) {
    fmt::print(stderr, "driveshaft: {}\n", status.error().message);
    return base::kExitUnreachable;
  }
  if (command.json) {
    fmt::print("{}\n", *answer);
  } else {
    for (const auto& line : report(*status, {.color = wants_color()})) fmt::print("{}\n", line);
  }
  return status->at("well").as_bool() ? base::kExitOk : base::kExitNotWell;
}

}  // namespace

bool is_command(std::span<const char* const> arguments) {
  return !arguments.empty() &&
         (arguments[0] == std::string_view("status") || arguments[0] == std::string_view("top"));
}

base::Result<Command> parse_command(std::span<const char* const> arguments) {
  Command command;
  command.name = arguments[0] == std::string_view("top") ? Command::Name::top : Command::Name::status;
  bool has_address = false;
  for (const std::string_view argument : arguments.subspan(1)) {
    if (argument == "--help") {
      command.help = true;
    } else if (argument == "--json" && command.name == Command::Name::status) {
      command.json = true;
    } else if (argument.starts_with("-") || has_address) {
      return Error{fmt::format("unexpected argument \"{}\" of {}; it takes the address of a daemon{}",
                               argument, arguments[0],
                               command.name == Command::Name::status ? " and --json" : "")};
    } else {
      const auto address = net::parse_address(argument, kExporterPort);
      if (!address) return address.error();
      command.daemon = *address;
      has_address = true;
    }
  }
  return command;
}

std::string help_text() {
  return "driveshaft status [address[:port]] [--json]\n"
         "  says how a running daemon fares; exits with 0 if all is well, 8 if not, 9 if it cannot be asked\n"
         "driveshaft top [address[:port]]\n"
         "  the same, refreshed every second, until q\n"
         "\n"
         "The address is the daemon's --exporter_addr; without one, 127.0.0.1:8888.\n";
}

int run(const Command& command) {
  if (command.help) {
    fmt::print("{}", help_text());
    return base::kExitOk;
  }
  return command.name == Command::Name::top ? top(command.daemon, wants_color()) : print_status(command);
}

}  // namespace driveshaft::cli
