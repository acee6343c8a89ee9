// SPDX-License-Identifier: MIT
#include "cli/control.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/exit_codes.h"
#include "base/seconds.h"
#include "cli/arguments.h"
#include "cli/client.h"
#include "log/log.h"
#include "net/asio.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

namespace json = boost::json;
using base::Error;
using boost::system::error_code;

constexpr std::chrono::seconds kActionTimeout{15};
constexpr std::chrono::seconds kUpgradeTimeout{45};

constexpr std::string_view kPlace = "POOL[/FUNCTION]";  // what is paused or resumed

const OptionName kSocket{"control_socket", "path"};
const OptionName kFor{"for", "time"};
const OptionName kReason{"reason", "text"};
const OptionName kFunction{"function", "name"};
const OptionName kOlderThan{"older-than", "time"};
const OptionName kRequeue{"requeue", ""};

// Adds the arguments that are not options to the body of the request, which has the options already. The
// error does not name the command.
using AddArguments = base::Result<void>(json::object& body, const std::vector<std::string>& arguments);

struct ControlRow {
  std::string_view name;
  std::string_view arguments;  // besides the options; "HANDLE…": one or more
  std::size_t least, most;     // how many arguments there may be
  AddArguments* add_arguments;
  std::vector<OptionName> options;
};

// The first slash separates the pool from the function. If the pool's name contains a slash itself, the
// daemon finds the pool that is meant (Control::named).
base::Result<void> add_place(json::object& body, const std::vector<std::string>& arguments) {
  const std::string_view text = arguments[0];
  const auto slash = text.find('/');
  if (text.empty() || slash == 0) {
    return Error{fmt::format("expected {}, and the name of the pool is empty", kPlace)};
  }
  body["pool"] = text.substr(0, slash);
  if (slash != text.npos) body["function"] = text.substr(slash + 1);
  return {};
}

// The jobs are named by their handles, or by their function and their age.
base::Result<void> add_handles(json::object& body, const std::vector<std::string>& arguments) {
  const bool of_function = body.contains("function");
  const bool is_whole = of_function == body.contains("older_than") && of_function == arguments.empty();
  if (!is_whole || (of_function && body["function"].as_string().empty())) {
    return Error{"expected handles, or --function NAME --older-than TIME"};
  }
  if (!arguments.empty()) body["handles"] = json::array(arguments.begin(), arguments.end());
  return {};
}

base::Result<void> add_log_level(json::object& body, const std::vector<std::string>& arguments) {
  const std::string& logger = arguments[0];
  const std::string& level = arguments[1];
  const auto wrong = [](std::string_view expected, const std::string& got) {
    return Error{fmt::format("expected {}, got \"{}\"", expected, text::printable(got, 60))};
  };
  if (logger != "Main" && logger != "Thread") return wrong("the logger Main or Thread", logger);
  const auto& levels = log::kLevelNames;
  if (std::find(levels.begin(), levels.end(), level) == levels.end()) {
    return wrong(fmt::format("one of the levels {}", fmt::join(levels, ", ")), level);
  }
  body["logger"] = logger;
  body["level"] = level;
  return {};
}

base::Result<void> add_nothing(json::object&, const std::vector<std::string>&) { return {}; }

// Adds the options that every command has.
std::vector<OptionName> options(std::vector<OptionName> own) {
  for (const auto& option : {kHelp, kSocket, kUrl, kTokenFile, kCaFile}) own.push_back(option);
  return own;
}

const std::vector<ControlRow>& control_rows() {
  constexpr std::size_t kMany = 1000;
  static const std::vector<ControlRow> rows{
      {"pause", kPlace, 1, 1, add_place, options({kFor, kReason})},
      {"resume", kPlace, 1, 1, add_place, options({})},
      {"cancel", "HANDLE…", 0, kMany, add_handles, options({kFunction, kOlderThan, kRequeue})},
      {"reload", "", 0, 0, add_nothing, options({})},
      {"drain", "", 0, 0, add_nothing, options({})},
      {"upgrade", "", 0, 0, add_nothing, options({})},
      {"log-level", "LOGGER LEVEL", 2, 2, add_log_level, options({kFor})},
  };
  return rows;
}

const ControlRow* find_row(std::span<const char* const> arguments) {
  if (arguments.empty()) return nullptr;
  const auto row = std::find_if(control_rows().begin(), control_rows().end(),
                                [&](const ControlRow& one) { return one.name == arguments[0]; });
  return row == control_rows().end() ? nullptr : &*row;
}

base::Result<void> add_option(json::object& body, const OptionName& option, const std::string& text) {
  if (option.name == kReason.name) {
    body["reason"] = text;
  } else if (option.name == kFunction.name) {
    body["function"] = text;
  } else if (option.name == kRequeue.name) {
    body["requeue"] = true;
  } else {
    const auto time = read_time(text);
    if (!time) return Error{fmt::format("--{}: {}", option.name, time.error().message)};
    json::value& seconds = body[option.name == kFor.name ? "for" : "older_than"];
    if (*time % std::chrono::seconds(1) == std::chrono::seconds(0)) {
      seconds = *time / std::chrono::seconds(1);
    } else {
      seconds = base::seconds(*time);
    }
  }
  return {};
}

// The options about how the daemon is reached.
struct ReachOptions {
  std::optional<std::string> socket;
  std::optional<Target> target;
  std::string token_file;
  std::string ca_file;
};

// The error does not name the command.
base::Result<void> reach_by(ReachOptions given, ControlCommand& command) {
  if (given.socket && given.target) return Error{"--control_socket and --url exclude each other"};
  if (given.socket) command.socket = std::move(*given.socket);
  if (given.target) {
    command.target = std::move(given.target);
    command.target->token_file = std::move(given.token_file);
    command.target->ca_file = std::move(given.ca_file);
  } else if (!given.token_file.empty() || !given.ca_file.empty()) {
    return Error{"--token_file and --ca_file go with --url; the control socket needs neither"};
  }
  return {};
}

// Whether this is the answer of a daemon whose exporter address does not accept actions.
bool takes_no_actions(const Answer& answer) {
  return answer.status == 405 && answer.body == "only GET and HEAD\n";
}

// Prints the result of the action. Returns the exit code.
int report(const base::Result<Answer>& answer, const std::string& daemon) {
  if (!answer) {
    fmt::print(stderr, "driveshaft: {}\n", answer.error().message);
    return base::kExitUnreachable;
  }
  if (takes_no_actions(*answer)) {
    fmt::print(stderr,
               "driveshaft: the daemon at {} was started without --admin_token_file, so it takes no commands "
               "over --url: start it with that option, or use its --control_socket\n",
               daemon);
    return base::kExitNotDone;
  }
  error_code error;
  const auto said = json::parse(answer->body, error);
  const bool done = answer->status == 200;
  const json::value* text =
      !error && said.is_object() ? said.get_object().if_contains(done ? "done" : "error") : nullptr;
  if (!text || !text->is_string()) {
    fmt::print(stderr, "driveshaft: what answers on {} is no driveshaft of this version\n", daemon);
    return base::kExitUnreachable;
  }
  const std::string shown = text::printable(std::string_view(text->get_string()), 4096);
  if (done) {
    fmt::print("{}\n", shown);
    return base::kExitOk;
  }
  fmt::print(stderr, "driveshaft: {}{}\n", shown, remedy(answer->status));
  return base::kExitNotDone;
}

}  // namespace

std::vector<std::string_view> control_command_names() {
  std::vector<std::string_view> names;
  for (const auto& row : control_rows()) names.push_back(row.name);
  return names;
}

bool is_control_command(std::span<const char* const> arguments) { return find_row(arguments) != nullptr; }

base::Result<ControlCommand> parse_control_command(std::span<const char* const> arguments) {
  const ControlRow& row = *find_row(arguments);
  const auto given = split_arguments(arguments.subspan(1), row.options, row.name);
  if (!given) return given.error();
  ControlCommand command;
  command.action = row.name;
  ReachOptions reach_options;
  json::object body;
  std::vector<std::string> others;
  for (const auto& [option, text] : *given) {
    if (!option) {
      others.push_back(text);
    } else if (option->name == kHelp.name) {
      command.help = true;
    } else if (option->name == kSocket.name) {
      reach_options.socket = text;
    } else if (option->name == kUrl.name) {
      if (const auto read = read_address(reach_options.target.emplace(), text); !read) return read.error();
    } else if (option->name == kTokenFile.name) {
      reach_options.token_file = text;
    } else if (option->name == kCaFile.name) {
      reach_options.ca_file = text;
    } else if (auto added = add_option(body, *option, text); !added) {
      return added.error();
    }
  }
  if (command.help) return command;
  const auto named = [&](const Error& error) {
    return Error{fmt::format("{}: {}", row.name, error.message)};
  };
  if (const auto reached = reach_by(std::move(reach_options), command); !reached)
    return named(reached.error());
  if (others.size() < row.least || others.size() > row.most) {
    return named({fmt::format("expected {}; driveshaft {} --help says more",
                              row.arguments.empty() ? "no argument" : row.arguments, row.name)});
  }
  if (const auto added = row.add_arguments(body, others); !added) return named(added.error());
  command.body = json::serialize(body);
  return command;
}

std::string control_help_text() {
  return "driveshaft pause POOL[/FUNCTION] [--for TIME] [--reason TEXT]\n"
         "  the pool, or one of its functions, takes no more jobs; running jobs finish\n"
         "driveshaft resume POOL[/FUNCTION]\n"
         "  ends the pause\n"
         "driveshaft cancel HANDLE… [--requeue]\n"
         "driveshaft cancel --function NAME --older-than TIME [--requeue]\n"
         "  ends running jobs: they fail. With --requeue they do not fail: gearmand has a worker start them\n"
         "  anew when the other jobs of the same connection have ended\n"
         "driveshaft reload\n"
         "  reads the jobs file, and says whether it is in force\n"
         "driveshaft drain\n"
         "  takes no more jobs, and ends the daemon when no job runs, as SIGTERM does\n"
         "driveshaft upgrade\n"
         "  starts the installed program, which takes over; running jobs finish in the old process\n"
         "driveshaft log-level Main|Thread debug|info|warn|error [--for TIME]\n"
         "  changes what is logged\n"
         "\n"
         "These commands connect to the daemon's --control_socket; give that option, too, if it is not\n"
         "/run/driveshaft/control.sock. With --url ADDRESS they connect to its exporter address (https://…\n"
         "with --ca_file) and send the token in the file of --token_file, or of the variable\n"
         "DRIVESHAFT_TOKEN_FILE: that of the daemon's --admin_token_file.\n"
         "Times are in seconds, or have a unit: 500ms, 90s, 10m, 2h, 1d.\n";
}

int run(const ControlCommand& command) {
  if (command.help) {
    fmt::print("{}", control_help_text());
    return base::kExitOk;
  }
  const std::string path = "/api/v1/control/" + command.action;
  const auto timeout = command.action == "upgrade" ? kUpgradeTimeout : kActionTimeout;
  asio::io_context io;
  if (!command.target) {
    return report(wait_for(io, post_to_socket(command.socket, path, command.body, timeout)), command.socket);
  }
  const auto daemon = reach(*command.target);
  if (!daemon) {
    fmt::print(stderr, "driveshaft: {}\n", daemon.error().message);
    return base::kExitUsage;
  }
  if (daemon->token.empty()) {
    fmt::print(
        stderr,
        "driveshaft: {} with --url needs --token_file, or the variable DRIVESHAFT_TOKEN_FILE: a file with "
        "the token of the daemon's --admin_token_file\n",
        command.action);
    return base::kExitUsage;
  }
  return report(wait_for(io, post(*daemon, path, command.body, timeout)), to_string(daemon->target));
}

}  // namespace driveshaft::cli
