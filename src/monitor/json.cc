// SPDX-License-Identifier: MIT
#include "monitor/json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "base/seconds.h"
#include "config/keys.h"
#include "config/server_keys.h"
#include "monitor/endpoint_json.h"
#include "monitor/json_text.h"
#include "monitor/json_values.h"

namespace driveshaft::monitor {
namespace {

namespace json = boost::json;
using base::seconds;
using dispatch::PoolStatus;

json::object outcomes(const metrics::Outcomes& outcomes) {
  return {{"completed", outcomes.completed}, {"refused", outcomes.refused}, {"failed", outcomes.failed}};
}

json::array breakers(const View& view, const PoolStatus& pool) {
  json::array breakers;
  for (const auto& one : pool.breakers) {
    breakers.push_back({{"functions", strings(one.functions)},
                        {"since", time(view, one.since)},
                        {"failed", one.failed},
                        {"attempts", one.attempts}});
  }
  return breakers;
}

History::Figures figures_of(const View& view, const std::string& pool) {
  const auto history = view.histories.find(pool);
  return history == view.histories.end() ? History::Figures{} : history->second.figures();
}

json::value paused(const View& view, const dispatch::Pause& pause) {
  return json::object{{"since", time(view, pause.since)},
                      {"until", pause.until ? time(view, *pause.until) : json::value(nullptr)},
                      {"reason", text_or_null(pause.reason)}};
}

json::value paused(const View& view, const PoolStatus& pool) {
  if (pool.pauses.pool) return paused(view, *pool.pauses.pool);
  if (!pool.settings.paused) return nullptr;
  return json::object{{"since", nullptr}, {"until", nullptr}, {"reason", "paused in the jobs file"}};
}

json::object known(const Waiting& waiting) {
  return {{"jobs", waiting.jobs}, {"servers", waiting.known}, {"of", waiting.servers}};
}

json::value dead_letters(const View& view, const PoolStatus& pool) {
  const auto& function = pool.settings.settings.dead_letter_function;
  if (function.empty()) return nullptr;
  const auto waiting = view.waiting({function});
  return json::object{
      {"function", function}, {"queued", number(waiting.everywhere())}, {"queued_known", known(waiting)}};
}

json::object pool(const View& view, const PoolStatus& pool) {
  const auto figures = figures_of(view, pool.settings.name);
  const auto waiting = view.waiting(pool.settings.jobs_list);
  std::size_t connected = 0;
  for (const auto& link : pool.links) connected += link.connected ? 1 : 0;
  return {{"name", pool.settings.name},
          {"state", pool.draining   ? "draining"
                    : pool.paused() ? "paused"
                                    : "running"},
          {"paused", paused(view, pool)},
          {"slots", pool.slots()},
          {"busy", pool.busy()},
          {"jobs_per_second", rounded(figures.jobs_per_second)},
          {"failures_per_second", rounded(figures.failures_per_second)},
          {"p50", duration(figures.p50)},
          {"p95", duration(figures.p95)},
          {"p99", duration(figures.p99)},
          {"last_minute", outcomes(figures.last_minute)},
          {"total", outcomes(pool.tally.outcomes)},
          {"queued", number(waiting.everywhere())},
          {"queued_known", known(waiting)},
          {"queue_trend", number(figures.queue_trend)},
          {"dead_letters", dead_letters(view, pool)},
          {"endpoint", endpoint_json(view, pool)},
          {"function_endpoints", function_endpoints_json(view, pool)},
          {"breakers", breakers(view, pool)},
          {"connections", {{"up", connected}, {"wanted", pool.links.size()}}}};
}

json::array pools(const View& view) {
  json::array pools;
  for (const auto& one : view.snapshot.pools) pools.push_back(pool(view, one));
  return pools;
}

// The links of all pools to one server, taken together.
struct Links {
  std::size_t up = 0;
  std::size_t wanted = 0;
  std::optional<SteadyTime> up_since;    // of the oldest
  std::optional<SteadyTime> down_since;  // likewise
  std::string why;
};

Links links_to(const View& view, const net::Address& server) {
  Links links;
  const auto note = [](std::optional<SteadyTime>& oldest, SteadyTime since) {
    if (!oldest || since < *oldest) oldest = since;
  };
  for (const auto& pool : view.snapshot.pools) {
    for (const auto& link : pool.links) {
      if (link.server != server) continue;
      ++links.wanted;
      if (link.connected) {
        ++links.up;
        note(links.up_since, link.since);
      } else {
        note(links.down_since, link.since);
        if (links.why.empty()) links.why = link.why;
      }
    }
  }
  return links;
}

std::string_view state_of(const Links& links, bool draining) {
  if (links.wanted == 0) return draining ? "draining" : "unused";
  if (links.up > 0) return "up";
  return links.why.empty() ? "connecting" : "down";
}

json::object queue(const QueueCounts& queue) {
  return {{"queued", queue.queued}, {"running", queue.running}, {"workers", queue.workers}};
}

json::value queue_of(const View& view, const std::string& server) {
  const auto found = view.queues.find(server);
  if (found == view.queues.end() || !found->second.known) return nullptr;
  const QueueReport& report = found->second;
  json::object shown = queue(report.all);
  shown["dead_letters"] = report.dead_letters;
  shown["other_workers"] = report.other_workers;
  shown["at"] = time(view, report.at);
  json::array& functions = shown["functions"].emplace_array();
  for (const auto& [name, one] : report.functions) {
    json::object function{{"name", name}};
    for (const auto& [key, value] : queue(one)) function[key] = value;
    functions.push_back(std::move(function));
  }
  return shown;
}

json::array servers(const View& view) {
  json::array servers;
  for (const auto& [address, tls] : view.snapshot.config.in_force->servers) {
    const std::string name = net::to_string(address);
    const Links links = links_to(view, address);
    const bool up = links.up > 0;
    const auto since = up ? links.up_since : links.down_since;
    const auto report = view.queues.find(name);
    servers.push_back({{"address", name},
                       {"state", state_of(links, view.snapshot.draining)},
                       {"since", since ? time(view, *since) : nullptr},
                       {"why", up ? nullptr : text_or_null(links.why)},
                       {"connections", {{"up", links.up}, {"wanted", links.wanted}}},
                       {"queue", queue_of(view, name)},
                       {"queue_error", report == view.queues.end() ? json::value(nullptr)
                                                                   : text_or_null(report->second.why)}});
  }
  return servers;
}

json::object config_state(const View& view) {
  const ConfigState& config = view.snapshot.config;
  return {{"file", view.about.jobs_file},
          {"loaded_at", time(config.loaded_at)},
          {"rejected_at", config.errors.empty() ? nullptr : time(config.rejected_at)},
          {"errors", strings(config.errors)}};
}

json::object settings(const config::PoolConfig& pool) {
  json::object shown;
  for (const auto& [name, text] : config::pool_texts(pool)) shown[name] = json::parse(text);
  // Clients may know it by its former name.
  if (const auto* tls = shown.if_contains("endpoint_tls")) shown["tls"] = *tls;
  return shown;
}

json::object job(const View& view, const std::string& pool, const dispatch::RunningJob& job) {
  const auto age = view.snapshot.at - job.started;
  return {{"pool", pool},
          {"function", job.function},
          {"handle", job.handle},
          {"unique", job.unique},
          {"server", net::to_string(job.server)},
          {"state", job.state},
          {"attempt", job.attempt},
          {"backend", text_or_null(job.backend)},
          {"started_at", time(view, job.started)},
          {"age", duration(age)},
          {"time_left", rounded(seconds(job.ends - view.snapshot.at))}};
}

json::array jobs(const View& view, const PoolStatus& pool) {
  json::array jobs;
  for (const auto& one : pool.jobs) jobs.push_back(job(view, pool.settings.name, one));
  return jobs;
}

json::object failure(const std::string& pool, const dispatch::FailedJob& failure) {
  return {{"pool", pool},
          {"function", failure.function},
          {"handle", failure.handle},
          {"unique", failure.unique},
          {"server", net::to_string(failure.server)},
          {"at", time(failure.at)},
          {"took", duration(failure.took)},
          {"attempts", failure.attempts},
          {"kind", failure.kind},
          {"reason", failure.reason},
          {"http_status", number(failure.http_status)},
          {"gearman_ret", number(failure.gearman_ret)},
          {"answer", failure.answer}};
}

json::array failures(const PoolStatus& pool) {
  json::array failures;
  for (const auto& one : pool.failures) failures.push_back(failure(pool.settings.name, *one));
  return failures;
}

json::array functions(const View& view, const PoolStatus& pool) {
  json::array functions;
  for (const auto& one : pool.functions) {
    json::object function{{"name", one.name}, {"running", one.running}};
    function["max_concurrency"] = one.max_concurrency > 0 ? json::value(one.max_concurrency) : nullptr;
    for (const auto& [key, value] : outcomes(one.outcomes)) function[key] = value;
    function["withdrawn"] = one.withdrawn;
    const auto pause = pool.pauses.functions.find(one.name);
    function["paused"] =
        pause == pool.pauses.functions.end() ? json::value(nullptr) : paused(view, pause->second);
    function["queued"] = one.withdrawn ? json::value(nullptr) : number(view.waiting({one.name}).everywhere());
    functions.push_back(std::move(function));
  }
  return functions;
}

std::string_view name_of(Level level) { return level == Level::bad ? "bad" : "warning"; }

// Of the whole: that of the worst problem.
std::string_view level_of(const Verdict& verdict) {
  if (!verdict.well()) return name_of(verdict.problems.front().level);
  return verdict.is_note ? "note" : "well";
}

json::array problems(const Verdict& verdict) {
  json::array problems;
  for (const auto& problem : verdict.problems) {
    problems.push_back({{"level", name_of(problem.level)},
                        {"pool", text_or_null(problem.pool)},
                        {"server", text_or_null(problem.server)},
                        {"text", problem.text}});
  }
  return problems;
}

const PoolStatus* find_pool(const View& view, std::string_view name) {
  for (const auto& pool : view.snapshot.pools) {
    if (pool.settings.name == name) return &pool;
  }
  return nullptr;
}

json::object about(const View& view) {
  return {{"version", view.about.version},
          {"host", view.about.host},
          {"pid", view.about.pid},
          {"started_at", time(view.about.started_at)},
          {"state", view.snapshot.draining ? "draining" : "running"},
          {"silent", rounded(seconds(view.silent))},
          {"takes_actions", view.about.takes_actions}};
}

}  // namespace

std::string status_json(const View& view, const Verdict& verdict) {
  return json_text(json::object{{"at", time(view.snapshot.wall)},
                                {"well", verdict.well()},
                                {"level", level_of(verdict)},
                                {"summary", verdict.summary},
                                {"problems", problems(verdict)},
                                {"daemon", about(view)},
                                {"config", config_state(view)},
                                {"pools", pools(view)},
                                {"servers", servers(view)}});
}

std::string pools_json(const View& view) {
  return json_text(json::object{{"at", time(view.snapshot.wall)}, {"pools", pools(view)}});
}

std::string servers_json(const View& view) {
  return json_text(json::object{{"at", time(view.snapshot.wall)}, {"servers", servers(view)}});
}

std::string config_json(const View& view) {
  json::object shown = config_state(view);
  shown["at"] = time(view.snapshot.wall);
  shown["max_running_time"] = rounded(seconds(view.about.max_running_time));
  const config::Config& config = *view.snapshot.config.in_force;
  json::object& in_force = shown["in_force"].emplace_object();
  json::array& servers = in_force["gearman_servers_list"].emplace_array();
  for (const auto& server : config.servers) servers.push_back(json::parse(config::server_text(server)));
  json::object& pools = in_force["pools_list"].emplace_object();
  for (const auto& one : config.pools) pools[one.name] = settings(one);
  in_force["log_workload_size"] = config.log_workload_size;
  return json_text(shown);
}

std::string jobs_json(const View& view) {
  json::array listed;
  std::int64_t running = 0;
  for (const auto& pool : view.snapshot.pools) {
    running += pool.running;
    for (auto& one : jobs(view, pool)) listed.push_back(std::move(one));
  }
  return json_text(
      json::object{{"at", time(view.snapshot.wall)}, {"running", running}, {"jobs", std::move(listed)}});
}

std::string failures_json(const View& view, std::optional<std::size_t> newest) {
  struct Of {
    const std::string* pool;
    const dispatch::FailedJob* job;
  };
  std::vector<Of> all;
  for (const auto& pool : view.snapshot.pools) {
    for (const auto& one : pool.failures) all.push_back({&pool.settings.name, one.get()});
  }
  if (newest) {
    std::ranges::stable_sort(all, std::ranges::greater(), [](const Of& of) { return of.job->at; });
    if (all.size() > *newest) all.resize(*newest);
  }
  json::array listed;
  for (const auto& of : all) listed.push_back(failure(*of.pool, *of.job));
  return json_text(json::object{{"at", time(view.snapshot.wall)}, {"failures", std::move(listed)}});
}

std::optional<std::string> pool_json(const View& view, std::string_view name) {
  const PoolStatus* found = find_pool(view, name);
  if (!found) return std::nullopt;
  json::object shown = pool(view, *found);
  shown["at"] = time(view.snapshot.wall);
  shown["functions"] = functions(view, *found);
  shown["jobs"] = jobs(view, *found);
  shown["failures"] = failures(*found);
  shown["max_running_time"] =
      rounded(seconds(found->settings.max_running_time_of({}, view.about.max_running_time)));
  shown["loaded_at"] = time(view.snapshot.config.loaded_at);
  shown["settings"] = settings(found->settings);
  return json_text(shown);
}

std::optional<std::string> history_json(const View& view, std::string_view name, History::Span span) {
  const auto history = view.histories.find(std::string(name));
  if (history == view.histories.end()) return std::nullopt;
  constexpr std::pair<std::string_view, float Sample::*> kColumns[] = {
      {"slots", &Sample::slots},       {"busy", &Sample::busy},    {"jobs", &Sample::jobs},
      {"failures", &Sample::failures}, {"p50", &Sample::p50},      {"p95", &Sample::p95},
      {"p99", &Sample::p99},           {"queued", &Sample::queued}};
  const auto samples = history->second.samples(span);
  json::object shown{{"pool", name}, {"step", span == History::Span::day ? 60 : 1}};
  json::array& times = shown["time"].emplace_array();
  for (const auto& sample : samples) times.emplace_back(sample.time);
  for (const auto& [column, member] : kColumns) {
    json::array& values = shown[column].emplace_array();
    values.reserve(samples.size());
    for (const auto& sample : samples) {
      const double value = sample.*member;
      values.push_back(std::isnan(value) ? json::value(nullptr) : figure(value, 1e5));
    }
  }
  return json_text(shown);
}

}  // namespace driveshaft::monitor
