// SPDX-License-Identifier: MIT
#include "cli/letters.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "base/exit_codes.h"
#include "cli/command.h"
#include "cli/letters_report.h"
#include "config/load.h"
#include "config/parse.h"
#include "letters/named.h"
#include "net/address.h"
#include "net/tls.h"
#include "text/counted.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using letters::Letter;
using letters::Place;
using Verb = LettersOptions::Verb;

constexpr auto kProgressAfter = 1s;
constexpr auto kProgressEvery = 200ms;

letters::Action action_of(Verb verb) {
  return verb == Verb::rerun         ? letters::Action::rerun
         : verb == Verb::delete_them ? letters::Action::delete_it
                                     : letters::Action::look;
}

// A line on stderr, if that is a terminal, which shows the progress of a command that takes long.
class ProgressLine {
 public:
  void show(std::string_view text) {
    const auto now = Clock::now();
    if (!on_terminal_ || now < next_) return;
    next_ = now + kProgressEvery;
    fmt::print(stderr, "\r\x1b[K{}", text);
    std::fflush(stderr);
    shown_ = true;
  }
  // Removes the line. Is called before anything else is written.
  void clear() {
    if (!std::exchange(shown_, false)) return;
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
  }

 private:
  const bool on_terminal_ = ::isatty(STDERR_FILENO) == 1;
  Clock::time_point next_ = Clock::now() + kProgressAfter;
  bool shown_ = false;
};

class Teller final : public letters::Observer {
 public:
  Teller(const LettersOptions& options, Time now) : options_(options), table_(now) {}

  bool on_letter(const Place& place, const Letter& letter, std::string_view new_handle) override {
    if (options_.json) return write(json_line(place, letter, new_handle) + '\n');
    if (options_.raw) {
      raw_names_.push_back(name_of(place, letter));
      raw_ = letter.content ? letter.content->workload : letter.text;
      return true;
    }
    if (options_.verb == Verb::list) table_.add(place, letter);
    if (options_.verb == Verb::show) {
      if (shown_++ > 0 && !write("\n")) return false;
      return write_lines(shown_letter(place, letter));
    }
    return true;
  }
  void on_stays(const Place& place, const Letter& letter, std::string_view why) override {
    complain(fmt::format("{} stays: {}", name_of(place, letter), why));
  }
  void on_progress(const Place& place, std::uint64_t taken, std::uint64_t of) override {
    progress_.show(fmt::format("{} of {} dead letters at {}", taken, of, place.server));
  }
  void on_handed_out(const Place& place, std::uint64_t count) override {
    complain(fmt::format("{} of {} at {} {} with another worker now, and {} not looked at",
                         text::counted(count, "dead letter"), text::printable(place.function, 128),
                         place.server, count == 1 ? "is" : "are", count == 1 ? "was" : "were"));
  }
  void on_server_lost(std::string_view server, std::string_view why) override {
    complain(fmt::format("gearmand {}: {}", server, why));
    failed_ = true;
  }

  // Reports the named handles that have no letter. False: there is such a handle.
  bool tell_missing(const letters::Account& account) {
    const auto missing = account.missing();
    for (const auto& handle : missing) {
      complain(fmt::format("there is no dead letter {}", text::printable(handle, 128)));
    }
    return missing.empty();
  }

  // Writes the end of the output. False: something could not be done.
  bool finish(const letters::Account& account) {
    progress_.clear();
    bool good = tell_missing(account) && account.stay_count() == 0 && !failed_;
    if (raw_names_.size() > 1) {
      complain(
          fmt::format("--raw is for one dead letter, and there are {}: {}; name the one that is meant by its "
                      "handle, and its server with --server",
                      raw_names_.size(), fmt::join(raw_names_, ", ")));
      good = false;
    } else if (!raw_names_.empty()) {
      good &= write(raw_);
    }
    if (options_.verb == Verb::list && !options_.json) {
      const auto lines = table_.lines({.color = wants_color()});
      good &= write_lines(lines.empty() && !failed_ ? std::vector<std::string>{"No dead letters."} : lines);
    } else if (options_.verb == Verb::rerun || options_.verb == Verb::delete_them) {
      const std::string text = summary(options_.verb, options_.dry_run, account);
      if (options_.json) {
        fmt::print(stderr, "{}\n", text);
      } else {
        good &= write(text + '\n');
      }
    }
    return good && !failed_;
  }

  void complain(std::string_view text) {
    progress_.clear();
    fmt::print(stderr, "driveshaft: {}\n", text);
  }

 private:
  // Writes to stdout, and flushes it.
  bool write(std::string_view bytes) {
    progress_.clear();
    const bool written =
        std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() && std::fflush(stdout) == 0;
    if (written) return true;
    if (errno != EPIPE)  // EPIPE: the reader wants no more
      complain(fmt::format("cannot write to stdout: {}", std::generic_category().message(errno)));
    failed_ = true;
    return false;
  }
  bool write_lines(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text.append(line).append("\n");
    return write(text);
  }

  const LettersOptions& options_;
  LetterTable table_;
  ProgressLine progress_;
  std::size_t shown_ = 0;
  std::vector<std::string> raw_names_;  // with --raw: the names of the chosen letters
  std::string raw_;                     // with --raw: the workload of the last letter
  bool failed_ = false;                 // a server could not be asked, or something could not be written
};

// Finds the named letters before they are changed.
class Looker final : public letters::Observer {
 public:
  // `servers`: the number of servers that are asked.
  Looker(letters::Named& named, std::size_t servers, Teller& teller)
      : named_(named), servers_(servers), teller_(teller) {}

  bool on_letter(const Place& place, const Letter& letter, std::string_view) override {
    named_.add(place, letter);
    return true;
  }
  void on_stays(const Place&, const Letter&, std::string_view) override {}
  void on_progress(const Place& place, std::uint64_t taken, std::uint64_t of) override {
    teller_.on_progress(place, taken, of);
  }
  void on_handed_out(const Place& place, std::uint64_t count) override {
    if (servers_ == 1) return;  // the second run reports it, and no other server can have an equal handle
    teller_.on_handed_out(place, count);
    saw_all_ = false;
  }
  void on_server_lost(std::string_view server, std::string_view why) override {
    teller_.on_server_lost(server, why);
    saw_all_ = false;
  }

  // False: a letter that could not be read may have a named handle.
  bool saw_all() const { return saw_all_; }

 private:
  letters::Named& named_;
  const std::size_t servers_;
  Teller& teller_;
  bool saw_all_ = true;
};

// Reads the letters, and restricts `order` and `selection` to the named letters that it finds. False: a
// handle may be ambiguous, so nothing may be changed; the reason was printed to stderr. `all_there` says
// whether each handle has a letter.
bool look_first(letters::Order& order, letters::Selection& selection, Time now, Teller& teller,
                bool& all_there) {
  letters::Named named(selection);
  auto unlimited = selection;
  unlimited.limit = 0;
  letters::Account account(letters::Action::look, unlimited, now);
  Looker looker(named, order.servers.size(), teller);
  letters::run(order, account, looker);
  const auto ambiguities = named.ambiguities();
  for (const auto& sentence : ambiguities) teller.complain(sentence);
  if (!looker.saw_all() && order.servers.size() > 1) {
    teller.complain(
        "a dead letter that could not be read may have this handle, too; name the server with --server");
  }
  if (!ambiguities.empty() || !looker.saw_all()) {
    teller.complain("nothing was changed");
    return false;
  }
  all_there = teller.tell_missing(account);
  selection = named.selection();
  order.only = named.letters();
  if (order.servers.size() == 1) return true;
  std::erase_if(order.servers, [&](const config::ServerConfig& server) {
    return std::none_of(named.letters().begin(), named.letters().end(),
                        [&](const auto& letter) { return letter.first == net::to_string(server.address); });
  });
  return true;
}

// Makes the order from the options and, if necessary, the jobs file. Nothing: this failed, and the reason was
// printed to stderr.
std::optional<letters::Order> read_order(const LettersOptions& options) {
  const auto complain = [](std::string_view text) { fmt::print(stderr, "driveshaft: {}\n", text); };
  const auto use = [&](const config::Config* config) -> std::optional<letters::Order> {
    auto order = order_of(options, config);
    if (order) return std::move(*order);
    complain(order.error().message);
    return std::nullopt;
  };
  if (!options.needs_jobs_file()) return use(nullptr);

  const std::string path = options.jobs_file.empty() ? std::string(kJobsFile) : options.jobs_file;
  const auto text = config::read_file(path);
  if (!text) {
    complain(
        fmt::format("cannot read the jobs file {}: {}; name it with --jobsconfig, or name --server and "
                    "--dead_letter_function",
                    path, text.error().message));
    return std::nullopt;
  }
  // The files that the jobs file names are not read: the secrets of pools are not needed, and perhaps only
  // the daemon may read them.
  const auto parsed = config::parse(*text);
  if (parsed) return use(&parsed->config);
  for (const auto& error : parsed.error().errors) complain(fmt::format("{}: {}", path, error));
  return std::nullopt;
}

}  // namespace

int run(const LettersOptions& options) {
  if (options.help) {
    fmt::print("{}", letters_help_text());
    return base::kExitOk;
  }
  net::keep_openssl_at_exit();
  auto order = read_order(options);
  if (!order) return base::kExitConfig;
  const auto now = std::chrono::system_clock::now();
  const auto action = action_of(options.verb);
  auto selection = options.selection;
  Teller teller(options, now);
  bool all_there = true;
  if (letters::is_look_needed(action, selection, order->servers.size()) &&
      !look_first(*order, selection, now, teller, all_there)) {
    return base::kExitNotAll;
  }
  letters::Account account(action, selection, now);
  letters::run(*order, account, teller);
  return teller.finish(account) && all_there ? base::kExitOk : base::kExitNotAll;
}

}  // namespace driveshaft::cli
