// SPDX-License-Identifier: MIT
#include "letters/run.h"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <utility>

#include "letters/conversation.h"
#include "net/exceptions.h"
#include "text/printable.h"

namespace driveshaft::letters {
namespace {

using base::Error;
using base::Result;

// The run on one server.
class Visit {
 public:
  Visit(net::Resolver& resolver, base::DeadlineWheel& deadlines, const config::ServerConfig& server,
        const Order& order, Account& account, Observer& observer)
      : order_(order),
        account_(account),
        observer_(observer),
        deadlines_(deadlines),
        server_(net::to_string(server.address)),
        gearmand_(resolver, deadlines, server, order.timeout) {}

  // An error says why the server could not be reached, or why the exchange with it broke off.
  asio::awaitable<Result<void>> run() {
    if (const auto begun = co_await gearmand_.begin(); !begun) co_return begun.error();
    for (const auto& function : order_.functions) {
      const Place place{server_, function};
      const auto done = co_await take_all(place);
      if (!done || is_over()) co_return done;
    }
    co_return Result<void>();
  }

  bool is_over() const { return account_.is_complete() || output_failed_ || stopped_; }

  void stop() {
    if (std::exchange(stopped_, true)) return;
    deadlines_.set(leave_, kFinishesWithin);
  }

 private:
  asio::awaitable<Result<void>> take_all(const Place& place) {
    const auto there = co_await gearmand_.count(place.function);
    if (!there) co_return there.error();
    if (there->handed_out > 0) observer_.on_handed_out(place, there->handed_out);
    if (there->waiting == 0) co_return Result<void>();
    if (const auto safe = co_await learn_attempts(); !safe) co_return safe.error();
    gearmand_.take_from(place.function);
    for (std::uint64_t taken = 0; taken < there->waiting && !is_over(); ++taken) {
      observer_.on_progress(place, taken, there->waiting);
      auto job = co_await gearmand_.grab();
      if (!job) co_return job.error();
      if (!*job || renewed_.contains((*job)->handle)) break;
      auto content = dispatch::read_dead_letter((*job)->workload);
      Letter letter{(*job)->handle, std::move((*job)->workload), std::move(content),
                    std::move((*job)->handle)};
      if (const auto done = co_await handle(place, letter); !done) co_return done.error();
    }
    co_return co_await gearmand_.give_back(place.function);
  }

  asio::awaitable<Result<void>> learn_attempts() {
    if (attempts_) co_return Result<void>();
    const auto attempts = co_await gearmand_.attempts();
    if (!attempts) co_return attempts.error();
    if (*attempts == 1) {
      co_return Error{
          "it throws away a job that was handed out once, and so would lose dead letters; start it with "
          "other --job-retries"};
    }
    attempts_ = *attempts;
    co_return Result<void>();
  }

  asio::awaitable<Result<void>> handle(const Place& place, Letter& letter) {
    if (order_.only && !order_.only->contains({server_, letter.handle}))
      co_return co_await leave(place, letter);
    const auto judgement = account_.judge(letter);
    if (judgement.fate == Fate::passed_over) co_return co_await leave(place, letter);
    if (judgement.fate == Fate::stays) co_return co_await leave(place, letter, judgement.why);

    const bool reruns = account_.action() == Action::rerun;
    if (reruns) {
      const auto another = co_await waits_for_another_job(letter.content->unique);
      if (!another) co_return another.error();
      if (*another) {
        const std::string why =
            fmt::format("gearmand has a job of its unique '{}'; run it again when that has ended",
                        text::printable(letter.content->unique, 64));
        co_return co_await has_to_stay(place, letter, why);
      }
    }
    if (account_.action() == Action::look || order_.dry_run) {
      if (const auto renewed = co_await renew(place, letter); !renewed) co_return renewed.error();
      show(place, letter);
      co_return Result<void>();
    }

    std::string new_handle;
    if (reruns) {
      auto submission = co_await submit(*letter.content);
      if (!submission) co_return submission.error();
      if (!submission->refused.empty()) {
        const std::string why = "gearmand does not take its job: " + submission->refused;
        co_return co_await has_to_stay(place, letter, why);
      }
      new_handle = std::move(submission->handle);
    }
    if (show(place, letter, new_handle)) gearmand_.complete(letter.handle);
    co_return Result<void>();
  }

  // A job without a unique has "" or "-". Of jobs with the unique "-", gearmand treats those with equal
  // workloads as one job.
  static bool is_unique(std::string_view unique) { return !unique.empty() && unique != "-"; }

  // Whether gearmand already has a job with this unique, and so would not queue another one.
  asio::awaitable<Result<bool>> waits_for_another_job(const std::string& unique) {
    if (!is_unique(unique)) co_return false;
    const auto known = co_await gearmand_.has(unique);
    if (!known) co_return known.error();
    // In a dry run jobs are not submitted, so the uniques of earlier letters are remembered here.
    co_return *known || (order_.dry_run && !uniques_.insert(unique).second);
  }

  asio::awaitable<Result<Conversation::Submission>> submit(const dispatch::ReadLetter& job) {
    const std::string unique = is_unique(job.unique) ? job.unique : dispatch::new_unique_of_rerun();
    co_return co_await gearmand_.submit_background(job.function, unique, job.workload);
  }

  bool show(const Place& place, const Letter& letter, std::string_view new_handle = {}) {
    output_failed_ = !observer_.on_letter(place, letter, new_handle);
    if (!output_failed_) account_.done();
    return !output_failed_;
  }

  asio::awaitable<Result<void>> has_to_stay(const Place& place, Letter& letter, std::string_view why) {
    account_.has_to_stay();
    co_return co_await leave(place, letter, why);
  }

  // Leaves the letter on the server. If `why` is not empty, it is reported to the observer.
  asio::awaitable<Result<void>> leave(const Place& place, Letter& letter, std::string_view why = {}) {
    if (const auto renewed = co_await renew(place, letter); !renewed) co_return renewed.error();
    if (!why.empty()) observer_.on_stays(place, letter, why);
    co_return Result<void>();
  }

  // If gearmand drops jobs that are handed out too often, a letter that stays is submitted again, and the one
  // that was handed out is completed. So the letter's count of attempts starts anew.
  asio::awaitable<Result<void>> renew(const Place& place, Letter& letter) {
    if (*attempts_ == 0) co_return Result<void>();
    auto copy = co_await gearmand_.submit_background(place.function, dispatch::new_unique(), letter.text);
    if (!copy) co_return copy.error();
    if (!copy->refused.empty()) {
      co_return Error{
          "it does not take a dead letter back, which it throws away when it is handed out too often: " +
          copy->refused};
    }
    gearmand_.complete(letter.handle);
    letter.handle = std::move(copy->handle);
    renewed_.insert(letter.handle);
    co_return Result<void>();
  }

  void leave_server() { gearmand_.close(); }

  const Order& order_;
  Account& account_;
  Observer& observer_;
  base::DeadlineWheel& deadlines_;
  const std::string server_;
  Conversation gearmand_;
  std::optional<unsigned> attempts_;            // how often the server hands a job out; 0: without a limit
  std::set<std::string, std::less<>> renewed_;  // handles of letters that were submitted again
  std::set<std::string, std::less<>> uniques_;  // uniques of the letters that a dry run has chosen
  bool output_failed_ = false;                  // a letter could not be shown
  bool stopped_ = false;
  base::MemberDeadline<Visit> leave_{*this, &Visit::leave_server};
};

}  // namespace

void run(const Order& order, Account& account, Observer& observer) {
  asio::io_context loop(1);
  base::DeadlineWheel deadlines(loop);
  net::Resolver resolver(loop);
  Visit* visiting = nullptr;
  const std::stop_callback on_stop(order.stop, [&] {
    asio::post(loop, [&visiting] {
      if (visiting) visiting->stop();
    });
  });
  for (const auto& server : order.servers) {
    if (order.stop.stop_requested()) return;
    Visit visit(resolver, deadlines, server, order, account, observer);
    bool ended = false;
    asio::co_spawn(loop, visit.run(), [&](const std::exception_ptr& bug, const Result<void>& result) {
      net::kRethrow(bug);
      ended = true;
      if (!result) observer.on_server_lost(net::to_string(server.address), result.error().message);
    });
    visiting = &visit;
    loop.restart();
    while (!ended) loop.run_one();
    visiting = nullptr;
    if (visit.is_over()) return;
  }
}

}  // namespace driveshaft::letters
