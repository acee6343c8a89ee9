// SPDX-License-Identifier: MIT
#include "cli/status_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cmath>

#include "cli/figures.h"

namespace driveshaft::cli {
namespace {

namespace json = boost::json;

// The text has its full width from the first second on, so that no column moves.
std::string spark(const std::deque<double>& values) {
  constexpr std::string_view kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const double most = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  std::string bars;
  for (const double value : values) {
    bars += kBars[most <= 0 ? 0 : static_cast<std::size_t>(std::min(value / most * 7 + 0.5, 7.0))];
  }
  return bars + std::string(kTrendLength - std::min(values.size(), kTrendLength), ' ');
}

// How many jobs wait. If the queues of some servers are unknown, only those of the others are counted.
std::string waiting_jobs(const json::object& pool) {
  const auto& known = pool.at("queued_known").as_object();
  if (!pool.at("queued").is_null() || number_of(known.at("servers")) == 0) return number(pool.at("queued"));
  return fmt::format("{} at {} of {}", number(known.at("jobs")), number(known.at("servers")),
                     number(known.at("of")));
}

// The address of the endpoint, and what is unusual about it.
std::string about_endpoint(const json::object& pool, const json::object& endpoint) {
  std::string text = safe(endpoint.at("uri"));
  if (number_of(endpoint.at("held")) > 0) text += fmt::format(" ({} held)", number(endpoint.at("held")));
  if (endpoint.at("why").is_string()) text += ": " + safe(endpoint.at("why"));
  const auto* others = pool.if_contains("function_endpoints");
  const std::size_t count = others ? others->as_array().size() : 0;
  if (count > 0) text += fmt::format(" (and {} other{})", count, count == 1 ? "" : "s");
  return text;
}

bool is_given_jobs(const json::object& backend) { return number_of(backend.at("weight")) > 0; }

bool works(const json::object& backend) {
  const auto& state = backend.at("state").as_string();
  return state == "up" || state == "untried";
}

struct Count {
  std::size_t working = 0;
  std::size_t all = 0;
};

// Counts the backends that are given jobs.
Count count_of(const Entries& backends) {
  Count count;
  for (const auto* backend : backends) {
    if (!is_given_jobs(*backend)) continue;
    ++count.all;
    if (works(*backend)) ++count.working;
  }
  return count;
}

std::string state_of(const json::object& of) {
  const std::string state = safe(of.at("state"));
  return state == "untried" ? "not tried yet" : state;
}

std::string state_of_endpoint(const json::object& endpoint) {
  const auto [working, all] = count_of(backends_of(endpoint));
  std::string state = state_of(endpoint);
  return working == 0 || working == all ? state : fmt::format("{}, {} of {}", state, working, all);
}

// A reason without its remarks. The problem above the table has all of it.
std::string beginning_of(const std::string& reason) { return reason.substr(0, reason.find("; ")); }

std::vector<Cell> backend_row(const json::object& backend, double now) {
  const bool is_well = works(backend);
  const bool is_draining = backend.at("state").as_string() == "draining";
  const std::string_view color = is_well || !is_given_jobs(backend)          ? ""
                                 : backend.at("state").as_string() == "down" ? kRed
                                                                             : kYellow;
  std::string state = state_of(backend);
  if (!is_well) state += fmt::format(" for {}", seconds(std::max(now - number_of(backend.at("since")), 0.0)));
  if (const auto* next = backend.if_contains("next_try"); next && next->is_number()) {
    const double left = std::max(std::ceil(number_of(*next) - now), 1.0);
    state += ", next try in " + (left < 10 ? fmt::format("{:.0f}s", left) : seconds(left));
  }
  std::string about = backend.at("share").is_null()
                          ? "no attempts"
                          : fmt::format("{:.0f}% of the attempts", 100 * number_of(backend.at("share")));
  if (!is_draining && number_of(backend.at("weight")) != 1)
    about += fmt::format(", weight {}", number(backend.at("weight")));
  if (backend.at("why").is_string()) about += ": " + beginning_of(safe(backend.at("why")));
  return {{"  " + safe(backend.at("name"))},
          {is_draining ? fmt::format("{} left", number(backend.at("running")))
                       : fmt::format("{}/{}", number(backend.at("running")), number(backend.at("limit")))},
          {number(backend.at("attempts_per_second"))},
          {number(backend.at("failures_per_second"))},
          {""},
          {seconds(backend.at("p95"))},
          {""},
          {""},
          {std::move(state), color},
          {std::move(about), color}};
}

std::vector<Cell> pool_row(const json::object& pool) {
  const json::object& endpoint = worst_endpoint(pool);
  const double busy = number_of(pool.at("busy"));
  const double slots = number_of(pool.at("slots"));
  const std::string pool_state = safe(pool.at("state"));
  const int trouble = trouble_of(endpoint);
  const std::string_view color = trouble == 2 ? kRed : trouble == 1 ? kYellow : "";
  return {{safe(pool.at("name")), kBold},
          {pool_state == "draining" ? fmt::format("{:.0f}, draining", busy)
           : pool_state == "paused" ? fmt::format("{:.0f}, paused", busy)
                                    : fmt::format("{:.0f}/{:.0f}", busy, slots),
           slots > 0 && busy >= slots ? kYellow : ""},
          {number(pool.at("jobs_per_second"))},
          {number(pool.at("failures_per_second")), number_of(pool.at("failures_per_second")) > 0 ? kRed : ""},
          {seconds(pool.at("p50"))},
          {seconds(pool.at("p95"))},
          {seconds(pool.at("p99"))},
          {waiting_jobs(pool)},
          {state_of_endpoint(endpoint), color},
          {about_endpoint(pool, endpoint), color}};
}

// An older daemon does not report dead letters.
double dead_letters(const json::object& server) {
  const auto* queue = server.at("queue").if_object();
  const auto* count = queue ? queue->if_contains("dead_letters") : nullptr;
  return count ? number_of(*count) : 0;
}

}  // namespace

void note_trends(Trends& trends, const json::object& status) {
  for (const auto& entry : status.at("pools").as_array()) {
    auto& values = trends[safe(entry.at("name"))];
    values.push_back(number_of(entry.at("jobs_per_second")));
    if (values.size() > kTrendLength) values.pop_front();
  }
}

Entries entries_of(const json::object& status, std::string_view list) {
  Entries entries;
  for (const auto& entry : status.at({list.data(), list.size()}).as_array())
    entries.push_back(&entry.as_object());
  return entries;
}

Entries endpoints_of(const json::object& pool) {
  Entries endpoints{&pool.at("endpoint").as_object()};
  if (const auto* others = pool.if_contains("function_endpoints")) {
    for (const auto& entry : others->as_array()) endpoints.push_back(&entry.as_object());
  }
  return endpoints;
}

// An older daemon does not report backends.
Entries backends_of(const json::object& endpoint) {
  Entries backends;
  const auto* listed = endpoint.if_contains("backends");
  if (!listed || listed->as_array().size() < 2) return backends;
  for (const auto& entry : listed->as_array()) backends.push_back(&entry.as_object());
  return backends;
}

int trouble_of(const json::object& endpoint) {
  const auto& state = endpoint.at("state").as_string();
  const auto [working, all] = count_of(backends_of(endpoint));
  return state == "down" ? 2 : state == "paused" || working < all ? 1 : 0;
}

std::string_view color_of_problem(const json::value& problem) {
  return problem.at("level").as_string() == "bad" ? kRed : kYellow;
}

const json::object& worst_endpoint(const json::object& pool) {
  const Entries endpoints = endpoints_of(pool);
  return **std::max_element(endpoints.begin(), endpoints.end(), [](const auto* one, const auto* other) {
    return trouble_of(*one) < trouble_of(*other);
  });
}

Table pool_table(const Entries& pools, double now, const PoolTableOptions& options) {
  const auto head = [&](const std::string& name, Sort by) {
    return by == options.sort ? name + (by == Sort::name ? "▲" : "▼") : name;
  };
  std::vector<Column> columns{
      {.head = head("POOL", Sort::name), .left = true, .least = 20, .cut_in_middle = true},
      {.head = head("BUSY", Sort::busy)},
      {.head = "JOBS/S", .goes = 6},
      {.head = head("FAILED/S", Sort::failed), .goes = 8},
      {.head = "P50", .goes = 3},
      {.head = "P95", .goes = 4},
      {.head = "P99", .goes = 5},
      {.head = head("WAITING", Sort::waiting), .goes = 7},
      {.head = "ENDPOINT", .left = true},
      {.head = "URI", .left = true, .goes = 2, .least = 16}};
  const auto trend_at = columns.size() - 2;
  if (options.trends) {
    columns.insert(columns.begin() + static_cast<std::ptrdiff_t>(trend_at),
                   Column{.head = "JOBS/S, LAST 30 S", .left = true, .goes = 1});
  }
  Table table(std::move(columns));
  const auto add = [&](std::vector<Cell> row, const std::string& trend) {
    if (options.trends) row.insert(row.begin() + static_cast<std::ptrdiff_t>(trend_at), Cell{trend, kGreen});
    table.add(std::move(row));
  };
  for (const auto* pool : pools) {
    const bool is_known = options.trends && options.trends->contains(safe(pool->at("name")));
    add(pool_row(*pool), is_known ? spark(options.trends->at(safe(pool->at("name")))) : "");
    if (!options.backends) continue;
    for (const auto* endpoint : endpoints_of(*pool)) {
      for (const auto* backend : backends_of(*endpoint)) add(backend_row(*backend, now), "");
    }
  }
  return table;
}

Table server_table(const Entries& servers, double now) {
  std::vector<Column> columns{{.head = "GEARMAND", .left = true, .least = 20, .cut_in_middle = true},
                              {.head = "CONNECTIONS", .goes = 5},
                              {.head = "WAITING", .goes = 6},
                              {.head = "RUNNING", .goes = 4},
                              {.head = "OTHER WORKERS", .goes = 2},
                              {.head = "STATE", .left = true}};
  const auto has_reason = [](const auto* server) { return server->at("why").is_string(); };
  const bool some_have_reasons = std::any_of(servers.begin(), servers.end(), has_reason);
  const bool some_have_letters = std::any_of(servers.begin(), servers.end(),
                                             [](const auto* server) { return dead_letters(*server) > 0; });
  if (some_have_letters) columns.insert(columns.begin() + 3, Column{.head = "DEAD LETTERS", .goes = 3});
  if (some_have_reasons) columns.push_back({.head = "REASON", .left = true, .goes = 1, .least = 16});
  Table table(std::move(columns));
  for (const auto* server : servers) {
    const auto& links = server->at("connections").as_object();
    const auto* queue = server->at("queue").if_object();
    const auto of_queue = [&](const char* name) { return queue ? number(queue->at(name)) : "-"; };
    const std::string_view color = server->at("state").as_string() == "down" ? kRed : "";
    std::string state = safe(server->at("state"));
    if (!server->at("since").is_null()) {
      state += fmt::format(" for {}", seconds(std::max(now - number_of(server->at("since")), 0.0)));
    }
    std::vector<Cell> row{{safe(server->at("address")), kBold},
                          {fmt::format("{}/{}", number(links.at("up")), number(links.at("wanted")))},
                          {of_queue("queued")},
                          {of_queue("running")},
                          {of_queue("other_workers")},
                          {std::move(state), color}};
    if (some_have_letters) row.insert(row.begin() + 3, Cell{fmt::format("{:.0f}", dead_letters(*server))});
    if (some_have_reasons) row.push_back({has_reason(server) ? safe(server->at("why")) : "", color});
    table.add(std::move(row));
  }
  return table;
}

}  // namespace driveshaft::cli
