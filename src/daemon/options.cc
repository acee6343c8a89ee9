// SPDX-License-Identifier: MIT
#include "daemon/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <vector>

#include "base/seconds.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/control.h"
#include "config/nearest.h"
#include "text/printable.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
namespace po = boost::program_options;
using base::Error;
using base::Result;

constexpr unsigned kHelpWidth = 110;
constexpr long kMaxRunningTime = cli::kLongestTime.count();
constexpr long kMaxLoopTimeout = 86'400;  // the kernel takes three times this time in milliseconds, as an int

Result<void> read_time(std::chrono::milliseconds& time, long most, const std::string& text) {
  const auto read = cli::read_time(text, 1s, std::chrono::seconds(most));
  if (!read) return read.error();
  time = *read;
  return {};
}

std::string seconds_text(std::chrono::milliseconds time) { return fmt::format("{}", base::seconds(time)); }

Result<void> read_path(std::string& path, const std::string& text) {
  if (text.empty()) return Error{"expected a path, got an empty one"};
  path = std::filesystem::absolute(text).lexically_normal().string();
  return {};
}

// An empty text means that there is no file.
Result<void> read_path_or_none(std::string& path, const std::string& text) {
  if (!text.empty()) return read_path(path, text);
  path.clear();
  return {};
}

// The exporter alone may have port 0, which means any free port, and a port without a host, which means this
// port on all IPv4 addresses, as in the original Driveshaft.
Result<void> read_exporter(std::optional<net::Address>& exporter, const std::string& text) {
  exporter.reset();
  if (text.empty()) return {};
  if (text.find("://") != text.npos) {
    return Error{fmt::format("expected host:port or [IPv6]:port without a scheme, got \"{}\"", text)};
  }
  if (text.find_first_not_of("0123456789") == text.npos) return read_exporter(exporter, ":" + text);
  if (text.front() == ':' && text.rfind(':') == 0) return read_exporter(exporter, "0.0.0.0" + text);
  const bool any_port = text.ends_with(":0") && (text.front() == '[' || text.find(':') == text.size() - 2);
  const auto address = any_port ? net::parse_address(text.substr(0, text.size() - 2), 0)
                                : net::parse_address(text, cli::kExporterPort);
  if (!address) return address.error();
  exporter = *address;
  return {};
}

// Reads names with commas between them. An empty list is allowed.
Result<void> read_names(std::vector<std::string>& names, const std::string& text) {
  names.clear();
  if (text.empty()) return {};
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto name = text.substr(begin, end - begin);
    auto read = net::parse_host_name(name);
    if (!read) {
      return Error{fmt::format("expected names of hosts, separated by commas, without ports, got \"{}\": {}",
                               text::printable(text, 256), read.error().message)};
    }
    names.push_back(std::move(*read));
    begin = end + 1;
  }
  return {};
}

// `words` are in the order of the enum's values.
template <class Enum>
Result<void> read_word(Enum& value, std::span<const std::string_view> words, const std::string& text) {
  const auto word = std::find(words.begin(), words.end(), text);
  if (word == words.end()) {
    return Error{fmt::format("expected one of {}, got \"{}\"", fmt::join(words, ", "), text)};
  }
  value = static_cast<Enum>(word - words.begin());
  return {};
}

template <auto member>
constexpr OptionRow flag(std::string_view name, std::string_view description) {
  return {name, "", description,
          [](Options& options, const std::string&) -> Result<void> {
            options.*member = true;
            return {};
          },
          [](const Options&) { return std::string(); }};
}

template <auto member>
constexpr OptionRow path(std::string_view name, std::string_view description) {
  return {name, "path", description,
          [](Options& options, const std::string& text) { return read_path(options.*member, text); },
          [](const Options& options) { return options.*member; }};
}

// An option that an empty value switches off. Options that protect the daemon are not made by this: for them
// an empty value is more likely a variable that a script has not set.
template <auto member>
constexpr OptionRow path_or_none(std::string_view name, std::string_view description) {
  OptionRow row = path<member>(name, description);
  row.set = [](Options& options, const std::string& text) {
    return read_path_or_none(options.*member, text);
  };
  return row;
}

template <auto member, long most>
constexpr OptionRow time(std::string_view name, std::string_view description) {
  return {name, "time", description,
          [](Options& options, const std::string& text) { return read_time(options.*member, most, text); },
          [](const Options& options) { return seconds_text(options.*member); }};
}

constexpr OptionRow kShutdownTimeout{
    "shutdown_timeout", "time",
    "how long a drain waits for running jobs; default: 2 x loop_timeout, with SIGUSR1 4 x",
    [](Options& options, const std::string& text) -> Result<void> {
      std::chrono::milliseconds window{};
      auto read = read_time(window, kMaxRunningTime, text);
      if (read) options.shutdown_timeout = window;
      return read;
    },
    [](const Options& options) {
      return options.shutdown_timeout ? seconds_text(*options.shutdown_timeout) : std::string();
    }};

constexpr std::string_view kOnline = "online";

constexpr OptionRow kCheck{
    "check",
    "",
    "say whether it would run, and what is wrong, and start nothing; --check=online also connects to the "
    "job servers and endpoints",
    [](Options& options, const std::string& text) -> Result<void> {
      if (!text.empty() && text != kOnline) {
        return Error{fmt::format("unexpected argument, only \"={}\" may follow it, got \"{}\"", kOnline,
                                 text::printable(text, 60))};
      }
      options.check = true;
      if (!text.empty()) options.check_online = true;
      return {};
    },
    [](const Options&) { return std::string(); },
    kOnline};

constexpr OptionRow kUser{"user", "name",
                          "become this user after the pid file and the sockets are open (needs root)",
                          [](Options& options, const std::string& text) -> Result<void> {
                            if (text.empty()) return Error{"expected the name of a user, got an empty one"};
                            options.user = text;
                            return {};
                          },
                          [](const Options& options) { return options.user; }};

constexpr OptionRow kExporter{
    "exporter_addr", "address:port",
    "where the page, the API and the metrics are served over HTTP; empty: nowhere",
    [](Options& options, const std::string& text) { return read_exporter(options.exporter, text); },
    [](const Options& options) { return options.exporter ? net::to_string(*options.exporter) : ""; }};

constexpr OptionRow kExporterHosts{
    "exporter_host", "names",
    "names of this host, separated by commas, that requests may ask for, besides localhost, the machine's "
    "own "
    "name and that of --exporter_addr",
    [](Options& options, const std::string& text) { return read_names(options.exporter_hosts, text); },
    [](const Options& options) { return fmt::format("{}", fmt::join(options.exporter_hosts, ",")); }};

constexpr std::string_view kFormats[] = {"text", "json"};

constexpr OptionRow kLogFormat{
    "log_format", "format", "without --logconfig: text on stderr, or json for one JSON object a line",
    [](Options& options, const std::string& text) { return read_word(options.log_format, kFormats, text); },
    [](const Options& options) {
      return std::string(kFormats[static_cast<std::size_t>(options.log_format)]);
    }};

constexpr OptionRow kLogLevel{
    "log_level", "level", "without --logconfig: log this level and higher ones: debug, info, warn, error",
    [](Options& options, const std::string& text) {
      return read_word(options.log_level, log::kLevelNames, text);
    },
    [](const Options& options) {
      return std::string(log::kLevelNames[static_cast<std::size_t>(options.log_level)]);
    }};

constexpr OptionRow kTable[] = {
    flag<&Options::help>("help", "print this help and exit; also -h, and `driveshaft help`"),
    flag<&Options::version>("version", "print the version and exit"),
    kCheck,
    kUser,
    path_or_none<&Options::pid_file>("pid_file",
                                     "write the process id to this file, and lock it while the daemon runs"),
    flag<&Options::daemonize>("daemonize", "run in the background; returns once the daemon is ready"),
    path<&Options::jobs_config>("jobsconfig", "the jobs file: servers, pools and their endpoints (required)"),
    path_or_none<&Options::log_config>("logconfig", "log4cxx XML or .properties file; default: to stderr"),
    kLogFormat,
    kLogLevel,
    time<&Options::max_running_time, kMaxRunningTime>("max_running_time",
                                                      "how long a job may run; then it fails"),
    time<&Options::loop_timeout, kMaxLoopTimeout>("loop_timeout",
                                                  "ping a gearmand connection that is silent for so long"),
    kShutdownTimeout,
    kExporter,
    kExporterHosts,
    path<&Options::exporter_certificate_file>(
        "exporter_certificate_file",
        "a certificate in PEM, with its chain: the exporter address then speaks TLS"),
    path<&Options::exporter_key_file>("exporter_key_file", "the key of that certificate"),
    path<&Options::read_token_file>("admin_read_token_file",
                                    "a file with the token for reading the page, the API and the metrics"),
    path<&Options::admin_token_file>(
        "admin_token_file",
        "a file with the token for acting: the buttons of the page, and commands with --url"),
    path_or_none<&Options::control_socket>("control_socket",
                                           "a Unix socket for `driveshaft pause` and other commands"),
};

po::options_description describe_options() {
  po::options_description all("Allowed options", kHelpWidth);
  for (const OptionRow& row : kTable) {
    const std::string name(row.name);
    const std::string description(row.description);
    if (row.argument.empty()) {
      all.add_options()(name.c_str(), description.c_str());
      continue;
    }
    auto* value = po::value<std::string>()->value_name(std::string(row.argument));
    const std::string shown = row.value({});
    if (!shown.empty()) value->default_value(shown);
    all.add_options()(name.c_str(), value, description.c_str());
  }
  return all;
}

std::vector<cli::OptionName> option_names() {
  std::vector<cli::OptionName> names;
  for (const OptionRow& row : kTable) names.push_back({row.name, row.argument, false, !row.choice.empty()});
  return names;
}

Error unknown_command(std::string_view name) {
  auto names = cli::command_names();
  for (const auto more : cli::control_command_names()) names.push_back(more);
  names.insert(names.end(), {"init", "letters", "probe"});
  const auto close = config::nearest(name, names);
  return {fmt::format("there is no command \"{}\"; {}--help lists them", text::printable(name, 60),
                      close.empty() ? "" : fmt::format("did you mean {}? ", close))};
}

}  // namespace

std::span<const OptionRow> option_table() { return kTable; }

std::chrono::milliseconds drain_window(const Options& options, bool patient) {
  return options.shutdown_timeout.value_or((patient ? 4 : 2) * options.loop_timeout);
}

Result<Options> parse_options(std::span<const char* const> arguments) {
  const std::string_view first = arguments.empty() ? "" : arguments[0];
  if (first == "help" || first == "-h") {
    Options options;
    options.help = true;
    return options;
  }
  if (!arguments.empty() && !first.starts_with('-')) return unknown_command(first);
  const auto names = option_names();
  const auto given = cli::split_arguments(arguments, names, "");
  if (!given) return given.error();
  Options options;
  std::vector<const OptionRow*> seen;
  for (const auto& [option, text] : *given) {
    if (!option && !seen.empty() && text == seen.back()->choice) {
      return Error{fmt::format("--{0} {1}: write --{0}={1}, with = between them and no space",
                               seen.back()->name, text)};
    }
    if (!option) {
      return Error{fmt::format(
          "unexpected argument \"{}\"; every argument belongs to an option, --help lists them", text)};
    }
    const OptionRow* row = &kTable[option - names.data()];
    seen.push_back(row);
    const auto read = row->set(options, text);
    if (!read) return Error{fmt::format("--{}: {}", row->name, read.error().message)};
  }
  for (const OptionRow* row : seen) {
    const bool of_console = row->name == kLogFormat.name || row->name == kLogLevel.name;
    if (!of_console || options.log_config.empty()) continue;
    return Error{
        fmt::format("--{} is for logs without --logconfig, whose file says that itself; leave one of "
                    "them out",
                    row->name)};
  }
  if (options.exporter_certificate_file.empty() != options.exporter_key_file.empty()) {
    return Error{"--exporter_certificate_file and --exporter_key_file go together; give both or none"};
  }
  if (options.jobs_config.empty() && !options.help && !options.version) {
    return Error{
        "--jobsconfig is missing: it names the jobs file, which says what to run; --help lists the options"};
  }
  return options;
}

std::vector<std::string> absolute_arguments(std::span<const char* const> arguments) {
  const auto names = option_names();
  std::vector<std::string> absolute;
  const auto given = cli::split_arguments(arguments, names, "");
  for (const auto& [option, text] : *given) {
    const OptionRow& row = kTable[option - names.data()];
    Options read;
    if (row.argument == "path" && row.set(read, text)) {
      absolute.push_back(fmt::format("--{}={}", row.name, row.value(read)));
    } else {
      absolute.push_back(row.argument.empty() && text.empty() ? fmt::format("--{}", row.name)
                                                              : fmt::format("--{}={}", row.name, text));
    }
  }
  return absolute;
}

std::string help_text() {
  std::ostringstream text;
  text << "driveshaft takes jobs from gearmand and runs them on HTTP endpoints.\n\n"
       << describe_options() << "\nTimes are in seconds, or have a unit: 500ms, 90s, 10m, 2h, 1d.\n";
  return text.str();
}

}  // namespace driveshaft::daemon
