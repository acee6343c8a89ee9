// SPDX-License-Identifier: MIT
#include "daemon/letter_rerun.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "net/exceptions.h"
#include "text/counted.h"
#include "text/printable.h"

namespace driveshaft::daemon {
namespace {

constexpr unsigned kNotFound = 404;
constexpr unsigned kConflict = 409;
constexpr unsigned kInternal = 500;
constexpr unsigned kNoThread = 503;

// Makes "3 dead letters of failed_jobs are".
std::string letters_are(std::uint64_t count, const std::string& function) {
  return fmt::format("{} of {} {}", text::counted(count, "dead letter"), text::printable(function, 128),
                     count == 1 ? "is" : "are");
}

// Counts what happens to the letters, and keeps none of them.
class Tally final : public letters::Observer {
 public:
  explicit Tally(Rerun& rerun) : rerun_(rerun) {}

  bool on_letter(const letters::Place&, const letters::Letter&, std::string_view) override { return true; }
  void on_stays(const letters::Place&, const letters::Letter&, std::string_view why) override {
    if (rerun_.stays.empty()) rerun_.stays = why;
  }
  void on_progress(const letters::Place&, std::uint64_t taken, std::uint64_t of) override {
    if (taken == 0) rerun_.waited += of;
  }
  void on_handed_out(const letters::Place&, std::uint64_t count) override { rerun_.elsewhere += count; }
  void on_server_lost(std::string_view server, std::string_view why) override {
    rerun_.lost.push_back(fmt::format("gearmand {}: {}", server, why));
  }

 private:
  Rerun& rerun_;
};

// Called in the thread of the run. An exception ends the run alone: gearmand gets back each letter that was
// taken and not completed.
base::Result<Rerun> run(const letters::Order& order, letters::Selection selection) {
  try {
    Rerun rerun{.function = order.functions.front()};
    const bool is_limited = selection.limit > 0;
    letters::Account account(letters::Action::rerun, std::move(selection), std::chrono::system_clock::now());
    Tally tally(rerun);
    letters::run(order, account, tally);
    rerun.done = account.count();
    rerun.saw_all =
        rerun.lost.empty() && !order.stop.stop_requested() && !(is_limited && account.is_complete());
    return rerun;
  } catch (...) {
    net::log_exception(std::current_exception(), "running dead letters again");
    return base::Error{"internal error, see the log; dead letters that were not run again are still there"};
  }
}

}  // namespace

admin::ActionResult to_result(const Rerun& rerun) {
  const auto left = rerun.waited - std::min(rerun.waited, rerun.done);
  std::string text = letters_are(rerun.done, rerun.function) + " run again";
  if (left > 0) {
    text += fmt::format(", {}{} {} left", rerun.saw_all ? "" : "at least ", left, left == 1 ? "is" : "are");
  }
  const auto add = [&](const std::string& reason) {
    if (!reason.empty()) text += "; " + reason;
  };
  add(rerun.ended);
  add(rerun.stays.empty() ? "" : "the first of those that have to stay: " + rerun.stays);
  add(rerun.elsewhere == 0 ? "" : letters_are(rerun.elsewhere, rerun.function) + " with another worker now");
  for (const auto& server : rerun.lost) add(server);
  if (rerun.done > 0) return {200, text};
  const bool nothing_there = left == 0 && rerun.elsewhere == 0 && rerun.saw_all;
  if (nothing_there) {
    return {kNotFound, fmt::format("no dead letter of {} waits", text::printable(rerun.function, 128))};
  }
  return {kConflict, text};
}

void LetterRerun::start(std::vector<config::ServerConfig> servers, const std::string& dead_letter_function,
                        const std::string& function, std::size_t limit, const Done& done) {
  if (running_) {
    return done({kConflict, "dead letters are being run again already; try it when that has ended"});
  }
  stop_.emplace();
  stopped_.clear();
  letters::Order order{.servers = std::move(servers),
                       .functions = {dead_letter_function},
                       .timeout = kTimeout,
                       .stop = stop_->get_token()};
  letters::Selection selection{.limit = limit};
  if (!function.empty()) selection.function = function;
  const auto ended = [this, done](base::Result<Rerun> rerun) {
    running_ = false;
    too_long_.clear();
    if (!rerun) return done({kInternal, rerun.error().message});
    if (stop_->stop_requested()) rerun->ended = stopped_;
    done(to_result(*rerun));
  };
  try {
    calls_.run(
        "letters",
        [order = std::move(order), selection = std::move(selection)] { return run(order, selection); },
        ended);
  } catch (const std::system_error& error) {
    return done({kNoThread, fmt::format("no thread can be had for it: {}", error.what())});
  }
  running_ = true;
  deadlines_.set(too_long_, kLongest);
}

void LetterRerun::stop(const std::string& why) {
  if (!running_ || stop_->stop_requested()) return;
  stopped_ = why;
  stop_->request_stop();
}

void LetterRerun::take_too_long() { stop(fmt::format("it has ended after {} s", kLongest.count())); }

}  // namespace driveshaft::daemon
