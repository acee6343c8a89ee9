// SPDX-License-Identifier: MIT
#include "daemon/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <vector>

#include "cli/arguments.h"

namespace driveshaft::daemon {
namespace {

namespace po = boost::program_options;
using base::Error;
using base::Result;

constexpr std::uint16_t kExporterPort = 8888;
constexpr unsigned kHelpWidth = 110;
constexpr long kMaxRunningTime = 1'000'000'000;
constexpr long kMaxLoopTimeout = 86'400;  // three times that many milliseconds are an int to the kernel

Result<void> read_seconds(std::chrono::seconds& seconds, long most, const std::string& text) {
  long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > most) {
    return Error{fmt::format("expected a whole number of seconds from 1 to {}, got \"{}\"", most, text)};
  }
  seconds = std::chrono::seconds(number);
  return {};
}

Result<void> read_path(std::string& path, const std::string& text) {
  if (text.empty()) return Error{"expected a path, got an empty one"};
  path = std::filesystem::absolute(text).lexically_normal().string();
  return {};
}

// Two forms are allowed for the exporter alone: port 0, which means any free port, and a port without a host,
// which means this port of all IPv4 addresses, as in the original.
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
                                : net::parse_address(text, kExporterPort);
  if (!address) return address.error();
  exporter = *address;
  return {};
}

// The words are in the order of the enum's values.
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

template <auto member, long most>
constexpr OptionRow seconds(std::string_view name, std::string_view description) {
  return {name, "seconds", description,
          [](Options& options, const std::string& text) { return read_seconds(options.*member, most, text); },
          [](const Options& options) { return std::to_string((options.*member).count()); }};
}

constexpr OptionRow kShutdownTimeout{
    "shutdown_timeout", "seconds",
    "how long a drain waits for running jobs; default: 2 x loop_timeout, with SIGUSR1 4 x",
    [](Options& options, const std::string& text) -> Result<void> {
      std::chrono::seconds window{};
      auto read = read_seconds(window, kMaxRunningTime, text);
      if (read) options.shutdown_timeout = window;
      return read;
    },
    [](const Options& options) {
      return options.shutdown_timeout ? std::to_string(options.shutdown_timeout->count()) : std::string();
    }};

constexpr OptionRow kUser{"user", "name",
                          "become this user once the pid file and the exporter are set up (needs root)",
                          [](Options& options, const std::string& text) -> Result<void> {
                            if (text.empty()) return Error{"expected the name of a user, got an empty one"};
                            options.user = text;
                            return {};
                          },
                          [](const Options& options) { return options.user; }};

constexpr OptionRow kExporter{
    "exporter_addr", "address:port", "where metrics and health are served over HTTP; empty: nowhere",
    [](Options& options, const std::string& text) { return read_exporter(options.exporter, text); },
    [](const Options& options) { return options.exporter ? net::to_string(*options.exporter) : ""; }};

constexpr std::string_view kFormats[] = {"text", "json"};
constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};

constexpr OptionRow kLogFormat{
    "log_format", "format", "without --logconfig: text on stderr, or json for one JSON object a line",
    [](Options& options, const std::string& text) { return read_word(options.log_format, kFormats, text); },
    [](const Options& options) {
      return std::string(kFormats[static_cast<std::size_t>(options.log_format)]);
    }};

constexpr OptionRow kLogLevel{
    "log_level", "level", "without --logconfig: the least of debug, info, warn and error to go to stderr",
    [](Options& options, const std::string& text) { return read_word(options.log_level, kLevels, text); },
    [](const Options& options) { return std::string(kLevels[static_cast<std::size_t>(options.log_level)]); }};

constexpr OptionRow kTable[] = {
    flag<&Options::help>("help", "print this and exit"),
    flag<&Options::version>("version", "print the version and exit"),
    flag<&Options::check>("check", "read the jobs file, say what it would run, and exit"),
    kUser,
    path<&Options::pid_file>("pid_file", "write the process id to this file, and hold it while running"),
    flag<&Options::daemonize>("daemonize", "run in the background; returns once the daemon is ready"),
    path<&Options::jobs_config>("jobsconfig", "the jobs file: servers, pools and their endpoints (required)"),
    path<&Options::log_config>("logconfig", "log4cxx XML or .properties file; default: to stderr"),
    kLogFormat,
    kLogLevel,
    seconds<&Options::max_running_time, kMaxRunningTime>("max_running_time",
                                                         "how long a job may run before it has failed"),
    seconds<&Options::loop_timeout, kMaxLoopTimeout>("loop_timeout",
                                                     "silence after which gearmand is pinged"),
    kShutdownTimeout,
    kExporter,
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

}  // namespace

std::span<const OptionRow> option_table() { return kTable; }

std::chrono::seconds drain_window(const Options& options, bool patient) {
  return options.shutdown_timeout.value_or((patient ? 4 : 2) * options.loop_timeout);
}

Result<Options> parse_options(std::span<const char* const> arguments) {
  std::vector<cli::OptionName> names;
  for (const OptionRow& row : kTable) names.push_back({row.name, row.argument});
  const auto given = cli::split_arguments(arguments, names, "");
  if (!given) return given.error();
  Options options;
  std::vector<const OptionRow*> seen;
  for (const auto& [option, text] : *given) {
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
  if (options.jobs_config.empty() && !options.help && !options.version) {
    return Error{
        "--jobsconfig is missing: it names the jobs file, which says what to run; --help lists the options"};
  }
  return options;
}

std::string help_text() {
  std::ostringstream text;
  text << "driveshaft takes jobs from gearmand and runs them on HTTP endpoints.\n\n" << describe_options();
  return text.str();
}

}  // namespace driveshaft::daemon
