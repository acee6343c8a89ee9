// SPDX-License-Identifier: MIT
#include "cli/letters_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "cli/arguments.h"
#include "cli/control.h"
#include "config/nearest.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

using namespace std::chrono_literals;
using base::Error;
using base::Result;
using Verb = LettersOptions::Verb;

constexpr std::uint16_t kGearmandPort = 4730;
constexpr auto kLongestTimeout = 1h;

template <class T>
void add_once(std::vector<T>& list, T value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(std::move(value));
}

Error expected(std::string_view what, std::string_view text) {
  return {fmt::format("expected {}, got \"{}\"", what, text::printable(text, 60))};
}

template <auto path>
Result<void> read_name(LettersOptions& options, const std::string& text) {
  if (text.empty()) return expected("a name", text);
  options.*path = text;
  return {};
}

Result<void> read_server(LettersOptions& options, const std::string& text) {
  const auto address = net::parse_address(text, kGearmandPort);
  if (!address) return address.error();
  add_once(options.servers, *address);
  return {};
}

Result<void> read_dead_letter_function(LettersOptions& options, const std::string& text) {
  if (text.empty()) return expected("the name of a function", text);
  add_once(options.functions, text);
  return {};
}

Result<void> read_function(LettersOptions& options, const std::string& text) {
  options.selection.function = text;
  return {};
}

template <auto age>
Result<void> read_age(LettersOptions& options, const std::string& text) {
  const auto time = read_time(text);
  if (!time) return time.error();
  options.selection.*age = *time;
  return {};
}

Result<void> read_error(LettersOptions& options, const std::string& text) {
  if (text.empty()) return expected("a text that errors contain", text);
  options.selection.error = text;
  return {};
}

Result<void> read_handle(LettersOptions& options, const std::string& text) {
  if (text.empty()) return expected("the handle of a letter", text);
  add_once(options.selection.handles, text);
  return {};
}

Result<void> read_job(LettersOptions& options, const std::string& text) {
  if (text.empty()) return expected("the handle of a job", text);
  add_once(options.selection.jobs, text);
  return {};
}

Result<void> read_limit(LettersOptions& options, const std::string& text) {
  auto& limit = options.selection.limit;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit == 0) {
    return expected("a whole number ≥ 1", text);
  }
  return {};
}

template <auto flag>
Result<void> set_flag(LettersOptions& options, const std::string&) {
  options.*flag = true;
  return {};
}

Result<void> read_timeout(LettersOptions& options, const std::string& text) {
  const auto time = read_time(text, 1s, kLongestTimeout);
  if (!time) return time.error();
  options.timeout = *time;
  return {};
}

// The verbs that have an option, as bits.
enum : unsigned { kList = 1, kShow = 2, kRerun = 4, kDelete = 8, kChange = kRerun | kDelete, kAny = 15 };

struct VerbRow {
  std::string_view word;
  Verb verb;
  unsigned bit;
};

constexpr VerbRow kVerbs[] = {{"list", Verb::list, kList},
                              {"show", Verb::show, kShow},
                              {"rerun", Verb::rerun, kRerun},
                              {"delete", Verb::delete_them, kDelete}};

struct LettersRow {
  OptionName option;
  unsigned verbs;
  std::string_view description;
  Result<void> (*set)(LettersOptions& options, const std::string& text);
};

// Says that the command applies to all letters.
constexpr OptionName kAll{"all", ""};

constexpr LettersRow kLettersOptions[] = {
    {{"jobsconfig", "path"},
     kAny,
     "the jobs file, which names servers and functions (default: /etc/driveshaft/jobs.json)",
     read_name<&LettersOptions::jobs_file>},
    {{"server", "address", true},
     kAny,
     "this gearmand, instead of those of the jobs file; may be repeated",
     read_server},
    {{"dead_letter_function", "name", true},
     kAny,
     "the function that has the dead letters, instead of those of the jobs file; may be repeated",
     read_dead_letter_function},
    {{"function", "name"}, kList | kChange, "only dead letters of jobs of this function", read_function},
    {{"older-than", "time"},
     kList | kChange,
     "only of jobs that failed at least so long ago: 90, 90s, 10m, 2h, 1d",
     read_age<&letters::Selection::older_than>},
    {{"newer-than", "time"},
     kList | kChange,
     "only of jobs that failed within this time",
     read_age<&letters::Selection::newer_than>},
    {{"error", "text"}, kList | kChange, "only those whose error contains this text", read_error},
    {{"handle", "handle", true}, kAny, "only the dead letter with this handle; may be repeated", read_handle},
    {{"job", "handle", true},
     kAny,
     "only dead letters of the job with this handle, as the log shows it; may be repeated",
     read_job},
    {{"limit", "number"}, kList | kChange, "at most so many dead letters, the first ones", read_limit},
    {kAll, kChange, "all dead letters; needed without a filter", nullptr},
    {{"dry-run", ""},
     kChange,
     "say what would be done, and change nothing",
     set_flag<&LettersOptions::dry_run>},
    {{"json", ""}, kAny, "print each dead letter as a line of JSON", set_flag<&LettersOptions::json>},
    {{"raw", ""}, kShow, "print the bytes of the workload and nothing else", set_flag<&LettersOptions::raw>},
    {{"timeout", "time"}, kAny, "how long a gearmand may be silent (default: 30s)", read_timeout},
};

std::string shown(const OptionName& option) {
  return option.argument.empty() ? fmt::format("--{}", option.name)
                                 : fmt::format("--{} {}", option.name, option.argument);
}

// Checks that `show` has handles, and that `rerun` and `delete` say which letters they apply to.
Result<void> check(const LettersOptions& options, bool all) {
  const bool any = options.selection == letters::Selection{};
  switch (options.verb) {
    case Verb::list:
      return {};
    case Verb::show:
      if (any)
        return Error{"letters show: expected the handles of dead letters; driveshaft letters list has them"};
      if (options.raw && options.json) return Error{"letters show: --raw and --json exclude each other"};
      if (options.raw && options.selection.handles.size() + options.selection.jobs.size() > 1)
        return Error{"letters show: --raw is for one dead letter alone"};
      return {};
    case Verb::rerun:
    case Verb::delete_them:
      const char* word = options.verb == Verb::rerun ? "rerun" : "delete";
      if (all && !any) {
        return Error{fmt::format(
            "letters {}: --all is all dead letters, and the other options choose some; leave one of them out",
            word)};
      }
      if (!all && any) {
        return Error{
            fmt::format("letters {0}: expected handles or filters, or --all for all dead letters; "
                        "driveshaft letters {0} --help lists them",
                        word)};
      }
      return {};
  }
  return {};
}

}  // namespace

bool is_letters(std::span<const char* const> arguments) {
  return !arguments.empty() && arguments[0] == std::string_view("letters");
}

Result<LettersOptions> parse_letters(std::span<const char* const> arguments) {
  LettersOptions options;
  const std::string_view word = arguments.size() > 1 ? arguments[1] : "";
  if (word == "--help") {
    options.help = true;
    return options;
  }
  const auto verb = std::find_if(std::begin(kVerbs), std::end(kVerbs),
                                 [&](const VerbRow& one) { return one.word == word; });
  if (verb == std::end(kVerbs)) {
    return Error{
        fmt::format("letters: expected list, show, rerun or delete, got \"{}\"; driveshaft letters "
                    "--help says more",
                    text::printable(word, 60))};
  }
  options.verb = verb->verb;
  const std::string command = fmt::format("letters {}", verb->word);

  std::vector<OptionName> names{kHelp};
  std::vector<const LettersRow*> rows{nullptr};
  for (const LettersRow& row : kLettersOptions) {
    if ((row.verbs & verb->bit) == 0) continue;
    names.push_back(row.option);
    rows.push_back(&row);
  }
  const auto given = split_arguments(arguments.subspan(2), names, command);
  if (!given) return given.error();
  bool all = false;
  for (const auto& [option, text] : *given) {
    if (option == names.data()) {
      options.help = true;
      return options;
    }
    if (!option) {
      if (verb->verb == Verb::list || text.starts_with('-')) {
        return Error{fmt::format("unexpected argument \"{}\" of {}; driveshaft {} --help says what it takes",
                                 text::printable(text, 60), command, command)};
      }
      if (const auto read = read_handle(options, text); !read) {
        return Error{fmt::format("{}: {}", command, read.error().message)};
      }
      continue;
    }
    const LettersRow& row = *rows[static_cast<std::size_t>(option - names.data())];
    all |= !row.set;
    if (!row.set) continue;
    if (const auto read = row.set(options, text); !read) {
      return Error{fmt::format("--{}: {}", option->name, read.error().message)};
    }
  }
  if (const auto good = check(options, all); !good) return good.error();
  return options;
}

std::string letters_help_text() {
  std::string text =
      "driveshaft letters list [options]\n"
      "  lists dead letters: jobs that finally failed, which gearmand keeps as jobs of a "
      "dead_letter_function\n"
      "driveshaft letters show HANDLE… [options]\n"
      "  shows them with their workloads; the handles are those of list\n"
      "driveshaft letters rerun HANDLE… | filters | --all [options]\n"
      "  submits their jobs again, in the background, and removes them\n"
      "driveshaft letters delete HANDLE… | filters | --all [options]\n"
      "  removes them\n"
      "\n"
      "Two servers can have the same handle. If it is not clear which dead letter is meant, rerun and "
      "delete\n"
      "change nothing. Then name the server with --server.\n"
      "\n"
      "A dead letter is removed only after gearmand has taken its job: at worst a job runs twice.\n"
      "\n"
      "Exit codes: 0 done; 1 a dead letter stays, it is not clear which one is meant, or a server could not "
      "be\n"
      "asked; 2 the command line is wrong.\n\n";
  for (const LettersRow& row : kLettersOptions)
    text += fmt::format("  {:<28} {}\n", shown(row.option), row.description);
  return text;
}

std::vector<std::string> letters_option_names() {
  std::vector<std::string> names;
  names.reserve(std::size(kLettersOptions));
  for (const LettersRow& row : kLettersOptions) {
    names.push_back(row.option.argument.empty() ? std::string(row.option.name)
                                                : fmt::format("{} {}", row.option.name, row.option.argument));
  }
  return names;
}

Result<letters::Order> order_of(const LettersOptions& options, const config::Config* config) {
  letters::Order order{{}, options.functions, options.dry_run, options.timeout};
  order.servers.reserve(options.servers.size());
  for (const auto& address : options.servers) order.servers.push_back({address});
  if (!config) return order;
  if (order.servers.empty()) order.servers = config->servers;
  for (auto& server : order.servers) {
    const auto known = std::find_if(config->servers.begin(), config->servers.end(),
                                    [&](const auto& one) { return one.address == server.address; });
    if (known != config->servers.end()) server.tls = known->tls;
  }
  if (!order.functions.empty()) return order;
  for (const auto& pool : config->pools) {
    const auto& function = pool.settings.dead_letter_function;
    if (!function.empty()) add_once(order.functions, function);
  }
  if (order.functions.empty()) {
    return Error{
        "no pool has a dead_letter_function; name the function of the dead letters with "
        "--dead_letter_function"};
  }
  return order;
}

}  // namespace driveshaft::cli
