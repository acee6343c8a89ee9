// SPDX-License-Identifier: MIT
#include "monitor/verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "config/nearest.h"
#include "dispatch/endpoint_status.h"
#include "monitor/backend_troubles.h"
#include "monitor/endpoints.h"
#include "text/counted.h"
#include "text/printable.h"

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using dispatch::EndpointStatus;
using dispatch::PoolStatus;

// The loop's thread answers within a few milliseconds unless it stands still.
constexpr auto kStuckAfter = 3s;
// A pool counts as failing if more than this share of a minute's jobs failed. The shipped alerts use this
// share. With fewer jobs than kLeastJobs a share says little.
constexpr double kFailingShare = 0.05;
constexpr std::uint64_t kLeastJobs = 10;
// A pool with fewer jobs than kLeastJobs counts as failing after so many failures in a row.
constexpr int kFailuresInARow = 5;
// How long a failure is mentioned while all is well.
constexpr auto kMentionedFor = 15min;
constexpr auto kSaturatedAfter = 60s;
constexpr auto kUnservedFor = 10s;
constexpr std::size_t kShownReason = 300;  // bytes of the reason of the last failed job
// A pool falls behind if its slots have been busy for kBusyAfter, and more jobs wait than end in kMuchWork.
constexpr auto kBusyAfter = 10s;
constexpr auto kMuchWork = 30s;
// An endpoint's limit grows, and meets a lack of descriptors again, at least so often.
constexpr auto kLackIsSaidFor = 60s;
constexpr auto kLossIsSaidFor = 5min;

std::string jobs(std::uint64_t count) { return text::counted(count, "job"); }

class Judge {
 public:
  explicit Judge(const View& view) : view_(view) {}

  Verdict verdict() {
    // The worst problems come first.
    judge_loop();
    judge_descriptors();
    judge_servers(Level::bad);
    for (const auto& pool : view_.snapshot.pools) judge_endpoint(pool);
    for (const auto& pool : view_.snapshot.pools) judge_breakers(pool);
    judge_certificates(Level::bad);
    for (const auto& pool : view_.snapshot.pools) judge_failures(pool);
    judge_servers(Level::warning);
    for (const auto& pool : view_.snapshot.pools) judge_pause(pool);
    for (const auto& pool : view_.snapshot.pools) judge_weights(pool);
    for (const auto& pool : view_.snapshot.pools) judge_backends(pool);
    for (const auto& pool : view_.snapshot.pools) judge_full(pool);
    judge_config();
    for (const auto& pool : view_.snapshot.pools) judge_paused(pool);
    judge_file_limit();
    judge_log();
    judge_certificates(Level::warning);
    for (const auto& pool : view_.snapshot.pools) judge_queue(pool);
    judge_queue_reports();
    judge_unserved();
    judge_slots();
    judge_start();
    judge_drain();
    verdict_.summary = verdict_.well() ? no_problem() : worst();
    return std::move(verdict_);
  }

 private:
  void add(Level level, std::string text, std::string pool = {}, std::string server = {}) {
    verdict_.problems.push_back({level, std::move(pool), std::move(server), std::move(text)});
  }

  std::string since(SteadyTime then) const { return in_words(view_.snapshot.at - then); }

  void judge_loop() {
    if (view_.silent < kStuckAfter) return;
    add(Level::bad,
        fmt::format("the event loop has not worked for {}: no job moves, and all figures are as old",
                    in_words(view_.silent)));
  }

  bool lacks_descriptors() const {
    const auto& last = view_.snapshot.process.lacked_descriptors;
    return last && view_.snapshot.at - *last < kLackIsSaidFor;
  }

  void judge_descriptors() {
    if (!lacks_descriptors()) return;
    add(Level::bad,
        fmt::format(
            "no file descriptor was free for a connection, {} ago: {} may be open; raise LimitNOFILE= of "
            "the systemd unit or `ulimit -n` of the shell, or lower worker_count",
            since(*view_.snapshot.process.lacked_descriptors), view_.snapshot.process.may_open));
  }

  void judge_file_limit() {
    const auto& process = view_.snapshot.process;
    if (process.needs_open <= process.may_open) return;
    add(Level::warning,
        fmt::format(
            "with all slots busy {} file descriptors are needed, and {} may be open: fewer jobs run at once; "
            "raise LimitNOFILE= of the systemd unit or `ulimit -n` of the shell, or lower worker_count",
            process.needs_open, process.may_open));
  }

  void judge_log() {
    const log::Loss& loss = view_.snapshot.process.log;
    if (!loss.last || view_.snapshot.at - *loss.last > kLossIsSaidFor) return;
    add(Level::warning,
        fmt::format("{} lost, the last of them {} ago: {}",
                    text::counted(loss.lines, "log line", "is", "are"), since(*loss.last), loss.why));
  }

  void judge_certificates(Level level) {
    for (const auto& [file, ends] : view_.snapshot.process.certificates) {
      const auto left = ends - view_.snapshot.wall;
      if (left > net::kRenewBefore || (left > 0s) != (level == Level::warning)) continue;
      const std::string when = left > 0s ? fmt::format("ends in {}", in_words(left))
                                         : fmt::format("ended {} ago", in_words(-left));
      add(level, fmt::format("the certificate {} {}: renew it", file, when));
    }
  }

  // A server is up if any link to it is: each pool has its own.
  struct Server {
    bool up = false;
    const dispatch::LinkStatus* down = nullptr;
  };
  std::map<std::string, Server> servers() const {
    std::map<std::string, Server> servers;
    for (const auto& pool : view_.snapshot.pools) {
      for (const auto& link : pool.links) {
        Server& server = servers[net::to_string(link.server)];
        if (link.connected) {
          server.up = true;
        } else if (!link.why.empty() && (!server.down || link.since < server.down->since)) {
          server.down = &link;
        }
      }
    }
    return servers;
  }

  void judge_servers(Level level) {
    const auto all = servers();
    const bool none_up = std::none_of(all.begin(), all.end(), [](const auto& one) { return one.second.up; });
    if (none_up != (level == Level::bad)) return;
    for (const auto& [address, server] : all) {
      if (server.up || !server.down) continue;
      add(level,
          fmt::format("gearmand {}: {}, for {}{}", address, server.down->why, since(server.down->since),
                      none_up ? "; no jobs are taken from it, nor from any other" : ""),
          {}, address);
    }
  }

  // The part of a message that says how many jobs of these functions wait. `before` is put before it.
  std::string waiting(const std::vector<std::string>& functions, std::string_view before) const {
    const auto waiting = view_.waiting(functions);
    if (waiting.jobs == 0) return {};
    const std::string of = waiting.everywhere()
                               ? "in the queue"
                               : fmt::format("at {} of {} servers", waiting.known, waiting.servers);
    return fmt::format("{}{} {}", before, text::counted(waiting.jobs, "job", "waits", "wait"), of);
  }

  void judge_endpoint(const PoolStatus& pool) {
    const auto failed = figures_of(pool).last_minute.failed;
    for (const auto& endpoint : endpoints_of(pool)) {
      if (endpoint.status.state != EndpointStatus::State::down) continue;
      add(Level::bad,
          trouble(pool, endpoint,
                  failed == 0 ? "" : fmt::format("{} failed in the last minute", jobs(failed))),
          pool.settings.name);
    }
  }

  void judge_breakers(const PoolStatus& pool) {
    for (const auto& breaker : pool.breakers) {
      const bool of_all = breaker.functions.size() == pool.settings.jobs_list.size();
      add(Level::bad,
          fmt::format(
              "{}: {} of {} attempts{} failed: its breaker is open, for {}, and one job at a time is sent",
              pool.settings.name, breaker.failed, breaker.attempts,
              of_all ? "" : fmt::format(" at {}", fmt::join(breaker.functions, ", ")), since(breaker.since)) +
              waiting(breaker.functions, "; "),
          pool.settings.name);
    }
  }

  void judge_full(const PoolStatus& pool) {
    for (const auto& endpoint : endpoints_of(pool)) {
      if (!endpoint.status.full || lacks_descriptors()) continue;
      add(Level::warning,
          fmt::format("{}: endpoint {} is full: it takes no more than {} at once; raise pm.max_children of "
                      "php-fpm or its listen backlog, or lower worker_count ({})",
                      pool.settings.name, endpoint.uri,
                      jobs(static_cast<std::uint64_t>(endpoint.status.limit)), pool.settings.worker_count) +
              waiting(endpoint.functions, "; "),
          pool.settings.name);
    }
  }

  void judge_pause(const PoolStatus& pool) {
    for (const auto& endpoint : endpoints_of(pool)) {
      if (endpoint.status.state != EndpointStatus::State::paused) continue;
      add(Level::warning, trouble(pool, endpoint), pool.settings.name);
    }
  }

  void judge_weights(const PoolStatus& pool) {
    for (const auto& endpoint : endpoints_of(pool)) {
      if (!dispatch::has_no_weight(endpoint.status)) continue;
      add(Level::warning,
          fmt::format("{}: no job is taken, as each backend has the weight 0: give one a weight in "
                      "job_processing_uri",
                      whose(pool, endpoint)) +
              waiting(endpoint.functions, "; "),
          pool.settings.name);
    }
  }

  // If an endpoint is down or paused, the problem of the endpoint names all its backends, so they are left
  // out.
  void judge_backends(const PoolStatus& pool) {
    for (const auto& endpoint : endpoints_of(pool)) {
      using enum EndpointStatus::State;
      if (endpoint.status.state == down || endpoint.status.state == paused) continue;
      const std::string troubles = backend_troubles(endpoint.status, view_.snapshot.at, "");
      if (troubles.empty()) continue;
      add(Level::warning,
          fmt::format("{}: {}; jobs go to the others; see the error log of its host, and if a backend stays "
                      "away, give "
                      "it the weight 0",
                      whose(pool, endpoint), troubles),
          pool.settings.name);
    }
  }

  // The pool, with the endpoint's address if the pool has several endpoints.
  static std::string whose(const PoolStatus& pool, const ServedEndpoint& endpoint) {
    return pool.function_endpoints.empty() ? pool.settings.name
                                           : fmt::format("{}: endpoint {}", pool.settings.name, endpoint.uri);
  }

  // What is wrong with an endpoint that is down or paused. The reason may be long, so it stands last.
  std::string trouble(const PoolStatus& pool, const ServedEndpoint& of,
                      const std::string& failed = {}) const {
    const EndpointStatus& endpoint = of.status;
    const SteadyTime now = view_.snapshot.at;
    const std::string held =
        endpoint.held == 0
            ? ""
            : text::counted(static_cast<std::uint64_t>(endpoint.held), "job", "is", "are") + " held";
    const std::string queued = waiting(of.functions, "");
    const auto troubles = backend_troubles(endpoint, now, in_brackets({held, failed, queued}));
    if (!troubles.empty()) return fmt::format("{}: {}", whose(pool, of), troubles);
    return fmt::format("{}: {} has been {} for {}{}: {}", pool.settings.name, of.uri,
                       endpoint.state == EndpointStatus::State::paused ? "paused" : "down",
                       since(endpoint.since),
                       in_brackets({next_try(endpoint.next_try, now), held, failed, queued}), endpoint.why);
  }

  void judge_failures(const PoolStatus& pool) {
    const auto endpoints = endpoints_of(pool);
    const bool is_said = std::any_of(endpoints.begin(), endpoints.end(), [](const ServedEndpoint& endpoint) {
      return endpoint.status.state == EndpointStatus::State::down;
    });
    if (is_said) return;
    const auto ended = figures_of(pool).last_minute;
    if (ended.all() < kLeastJobs) return judge_last_jobs(pool);
    const auto failed = ended.refused + ended.failed;
    if (static_cast<double>(failed) <= kFailingShare * static_cast<double>(ended.all())) return;
    const std::string refused = ended.refused == 0 ? ""
                                : ended.refused < failed
                                    ? fmt::format(", {} of them refused by the endpoint", ended.refused)
                                    : ", refused by the endpoint";
    const bool most = 2 * failed > ended.all() && !pool.settings.settings.breaker.on;
    add(Level::bad,
        fmt::format("{}: {} of {} failed in the last minute{}{}; {}{}", pool.settings.name, failed,
                    jobs(ended.all()), refused, last_reason(pool), see_failures(),
                    most ? "; with \"breaker\": true one job at a time would be sent while they fail" : ""),
        pool.settings.name);
  }

  void judge_last_jobs(const PoolStatus& pool) {
    if (pool.failures_in_a_row < kFailuresInARow || !pool.last_failure) return;
    add(Level::bad, last_jobs(pool), pool.settings.name);
  }

  std::string last_jobs(const PoolStatus& pool) const {
    return pool.failures_in_a_row == 1
               ? fmt::format("{}: the last job failed, {} ago: {}; {}", pool.settings.name,
                             age_of(*pool.last_failure), reason_of(*pool.last_failure), see_failures("it"))
               : fmt::format("{}: the last {} jobs failed{}; {}", pool.settings.name, pool.failures_in_a_row,
                             last_reason(pool), see_failures());
  }

  // Why the last job failed, and how long ago, because the cause may be gone.
  std::string last_reason(const PoolStatus& pool) const {
    if (!pool.last_failure) return {};
    return fmt::format("; the last of them, {} ago: {}", age_of(*pool.last_failure),
                       reason_of(*pool.last_failure));
  }

  static std::string reason_of(const dispatch::FailedJob& failure) {
    return text::printable(failure.reason, kShownReason);
  }

  std::string see_failures(std::string_view whom = "them") const {
    return fmt::format("`driveshaft failures{}` lists {}", view_.about.exporter, whom);
  }

  std::string age_of(const dispatch::FailedJob& failure) const {
    return in_words(std::max<WallTime::duration>(view_.snapshot.wall - failure.at, 0s));
  }

  // Reports jobs that wait because no worker serves their function; in most cases a name is misspelt. The
  // time is long enough for workers to be restarted.
  void judge_unserved() {
    struct Waiting {
      std::uint64_t jobs = 0;
      SteadyTime since = SteadyTime::max();
    };
    std::map<std::string_view, Waiting> unserved;
    for (const auto& [_, report] : view_.queues) {
      for (const auto& [function, queue] : report.unserved) {
        if (!queue.waiting_since || view_.snapshot.at - *queue.waiting_since < kUnservedFor) continue;
        if (is_dead_letter_function(function) || is_served(function)) continue;
        auto& waiting = unserved[function];
        waiting.jobs += queue.queued;
        waiting.since = std::min(waiting.since, *queue.waiting_since);
      }
    }
    for (const auto& [function, waiting] : unserved) {
      const auto close = config::nearest(function, served_functions());
      add(Level::warning,
          fmt::format("no pool and no other worker serves {}: {}, for {}{}", text::printable(function, 128),
                      text::counted(waiting.jobs, "job", "waits", "wait"), since(waiting.since),
                      close.empty() ? "" : fmt::format("; is {} meant?", text::printable(close, 128))));
    }
  }

  // Dead letters wait until somebody reads them.
  bool is_dead_letter_function(std::string_view function) const {
    const auto& pools = view_.snapshot.config.in_force->pools;
    return std::any_of(pools.begin(), pools.end(), [&](const config::PoolConfig& pool) {
      return pool.settings.dead_letter_function == function;
    });
  }

  // A function that a reload has added counts, although the queues were read before.
  bool is_served(std::string_view function) const {
    const auto& pools = view_.snapshot.config.in_force->pools;
    return std::any_of(pools.begin(), pools.end(), [&](const config::PoolConfig& pool) {
      return std::find(pool.jobs_list.begin(), pool.jobs_list.end(), function) != pool.jobs_list.end();
    });
  }

  std::vector<std::string_view> served_functions() const {
    std::vector<std::string_view> names;
    for (const auto& pool : view_.snapshot.config.in_force->pools) {
      names.insert(names.end(), pool.jobs_list.begin(), pool.jobs_list.end());
    }
    return names;
  }

  void judge_paused(const PoolStatus& pool) {
    const auto say = [&](const std::string& what, const dispatch::Pause& pause,
                         const std::vector<std::string>& functions) {
      const std::string reason = pause.reason.empty() ? "" : fmt::format(" ({})", pause.reason);
      const std::string until =
          pause.until ? fmt::format(", for another {}", in_words(*pause.until - view_.snapshot.at)) : "";
      add(Level::warning,
          fmt::format("{} is paused, for {}{}{}{}", what, since(pause.since), until, reason,
                      waiting(functions, "; ")),
          pool.settings.name);
    };
    if (pool.settings.paused) {
      add(Level::warning,
          fmt::format("{} is paused in the jobs file{}", pool.settings.name,
                      waiting(pool.settings.jobs_list, "; ")),
          pool.settings.name);
    }
    if (pool.pauses.pool) say(pool.settings.name, *pool.pauses.pool, pool.settings.jobs_list);
    for (const auto& [function, pause] : pool.pauses.functions) {
      say(fmt::format("{}: {}", pool.settings.name, text::printable(function, 128)), pause, {function});
    }
  }

  // Reports that no pool has slots, as in a new installation.
  void judge_slots() {
    const auto& pools = view_.snapshot.pools;
    const bool has_slots = std::any_of(pools.begin(), pools.end(),
                                       [](const PoolStatus& pool) { return pool.settings.worker_count > 0; });
    if (has_slots || view_.snapshot.draining) return;
    add(Level::warning, fmt::format("no pool takes jobs yet: set worker_count in {}", view_.about.jobs_file));
  }

  // Reports the start: no server has answered or failed yet.
  void judge_start() {
    const auto all = servers();
    const bool is_starting = !all.empty() && std::all_of(all.begin(), all.end(), [](const auto& server) {
      return !server.second.up && !server.second.down;
    });
    if (!is_starting || view_.snapshot.draining) return;
    add(Level::warning, "starting: no gearmand is connected yet");
  }

  void judge_config() {
    const auto& config = view_.snapshot.config;
    if (config.unanswered_since) {
      add(Level::warning,
          fmt::format("the jobs file, or a file that it names, cannot be read: the file system has not "
                      "answered for {}; changes are not seen, and jobs still run",
                      since(*config.unanswered_since)));
    }
    if (config.errors.empty()) return;
    const std::size_t others = config.errors.size() - 1;
    add(Level::warning,
        fmt::format("the jobs file on disk is rejected, and the one before stays in force: {}{}",
                    config.errors.front(), text::and_more(others, "more error")));
  }

  void judge_queue(const PoolStatus& pool) {
    const auto figures = figures_of(pool);
    const auto waiting_jobs = static_cast<double>(view_.waiting(pool.settings.jobs_list).jobs);
    const bool falls_behind = figures.saturated >= kBusyAfter &&
                              waiting_jobs > figures.jobs_per_second * static_cast<double>(kMuchWork.count());
    if (figures.saturated < kSaturatedAfter && !falls_behind) return;
    const int slots = pool.slots();
    add(Level::warning,
        fmt::format("{}: {} been busy for {}{}; if the endpoint can run more at once (pm.max_children of "
                    "php-fpm), raise "
                    "worker_count ({})",
                    pool.settings.name,
                    slots == 1 ? "its one slot has" : fmt::format("all {} slots have", slots),
                    in_words(figures.saturated), waiting(pool.settings.jobs_list, ", and "),
                    pool.settings.worker_count),
        pool.settings.name);
  }

  void judge_queue_reports() {
    const auto links = servers();
    for (const auto& [address, report] : view_.queues) {
      if (report.known || report.why.empty()) continue;
      const auto link = links.find(address);
      if (link == links.end() || !link->second.up) continue;
      add(Level::warning, fmt::format("gearmand {}: its queue cannot be read: {}", address, report.why), {},
          address);
    }
  }

  void judge_drain() {
    if (!view_.snapshot.draining) return;
    std::uint64_t running = 0;
    for (const auto& pool : view_.snapshot.pools) running += static_cast<std::uint64_t>(pool.running);
    add(Level::warning,
        "shutting down: no more jobs are taken, " + text::counted(running, "job", "still runs", "still run"));
  }

  std::string worst() const {
    const std::size_t others = verdict_.problems.size() - 1;
    std::string text = verdict_.problems.front().text;
    if (others > 0) text += fmt::format(" (and {})", text::counted(others, "more problem"));
    return text.ends_with('?') ? text : text + ".";
  }

  std::string no_problem() {
    std::uint64_t slots = 0;
    std::uint64_t busy = 0;
    std::uint64_t queued = 0;
    double rate = 0;
    for (const auto& pool : view_.snapshot.pools) {
      slots += static_cast<std::uint64_t>(pool.slots());
      busy += static_cast<std::uint64_t>(pool.busy());
      rate += figures_of(pool).jobs_per_second;
    }
    for (const auto& pool : view_.snapshot.config.in_force->pools)
      queued += view_.waiting(pool.jobs_list).jobs;
    const auto pools = view_.snapshot.pools.size();
    const std::string failed = last_jobs_failed();
    verdict_.is_note = !failed.empty();
    return fmt::format("{} {}, {} of {} slots busy, {:.{}f} jobs a second, {}{}{}.",
                       failed.empty() ? "All is well:" : failed + ';', text::counted(pools, "pool"), busy,
                       slots, rate, rate < 10 ? 1 : 0,
                       queued == 0 ? "no job waits" : text::counted(queued, "job", "waits", "wait"),
                       dead_letters(), failed.empty() ? last_failure() : "");
  }

  std::string dead_letters() const {
    std::uint64_t count = 0;
    for (const auto& [_, report] : view_.queues) count += report.dead_letters;
    if (count == 0) return {};
    return fmt::format(", gearmand keeps {}", text::counted(count, "dead letter"));
  }

  bool is_mentioned(const PoolStatus& pool) const {
    return pool.last_failure && view_.snapshot.wall - pool.last_failure->at <= kMentionedFor;
  }

  // The note about pools with few jobs whose last jobs failed. So few failures are no problem, but they may
  // be the beginning of one.
  std::string last_jobs_failed() const {
    const PoolStatus* most = nullptr;
    std::uint64_t pools = 0;
    for (const auto& pool : view_.snapshot.pools) {
      if (pool.failures_in_a_row == 0 || !is_mentioned(pool)) continue;
      if (figures_of(pool).last_minute.all() >= kLeastJobs) continue;
      ++pools;
      if (!most || pool.failures_in_a_row > most->failures_in_a_row) most = &pool;
    }
    return most ? last_jobs(*most) + text::and_more(pools - 1, "more such pool") : std::string();
  }

  std::string last_failure() const {
    const PoolStatus* last = nullptr;
    for (const auto& pool : view_.snapshot.pools) {
      if (!is_mentioned(pool)) continue;
      if (!last || pool.last_failure->at > last->last_failure->at) last = &pool;
    }
    if (!last) return {};
    return fmt::format("; the last failed job was one of {}, {} ago", last->settings.name,
                       age_of(*last->last_failure));
  }

  History::Figures figures_of(const PoolStatus& pool) const {
    const auto history = view_.histories.find(pool.settings.name);
    return history == view_.histories.end() ? History::Figures{} : history->second.figures();
  }

  const View& view_;
  Verdict verdict_;
};

}  // namespace

std::string in_words(std::chrono::nanoseconds duration) {
  const auto seconds = duration / 1s;
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 120 * 60) return fmt::format("{} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / 86400);
}

Verdict judge(const View& view) { return Judge(view).verdict(); }

}  // namespace driveshaft::monitor
