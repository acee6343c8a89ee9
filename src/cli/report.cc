// SPDX-License-Identifier: MIT
#include "cli/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "cli/figures.h"
#include "cli/status_tables.h"
#include "config/nearest.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

namespace json = boost::json;

std::string shown(std::string_view pool) { return text::printable(pool, 128); }

bool is_of(const json::object& entry, std::string_view pool) {
  const auto& name = entry.at("pool").as_string();
  return pool.empty() || std::string_view(name.data(), name.size()) == pool;
}

}  // namespace

base::Result<json::object> parse_answer(std::string_view text, std::string_view path,
                                        std::string_view field) {
  boost::system::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error);
  if (error || !value.is_object() || !value.as_object().contains({field.data(), field.size()})) {
    return base::Error{
        fmt::format("what answers is no driveshaft: {} is not what docs/openapi.yaml says", path)};
  }
  return std::move(value.as_object());
}

std::vector<std::string> report(const json::object& status, const Style& style) {
  std::vector<std::string> lines;
  const auto& problems = status.at("problems").as_array();
  for (auto& line : wrapped(safe(status.at("summary")), style.width)) {
    lines.push_back(
        colored(std::move(line), problems.empty() ? kGreen : color_of_problem(problems.front()), style));
  }
  for (std::size_t i = 1; i < problems.size(); ++i) {
    const std::string text =
        fmt::format("- {}: {}", safe(problems[i].at("level")), safe(problems[i].at("text")));
    for (auto& line : wrapped(text, style.width)) {
      lines.push_back(colored(std::move(line), color_of_problem(problems[i]), style));
    }
  }
  for (const auto& part :
       {pool_table(entries_of(status, "pools"), number_of(status.at("at"))).lines(style),
        server_table(entries_of(status, "servers"), number_of(status.at("at"))).lines(style)}) {
    lines.emplace_back();
    lines.insert(lines.end(), part.begin(), part.end());
  }
  return lines;
}

std::vector<std::string> job_lines(const json::object& answer, std::string_view pool, const Style& style,
                                   std::optional<SeenJobs>* seen) {
  SeenJobs now;
  const bool goes_on = seen && seen->has_value();
  Table table({"POOL", "FUNCTION", "HANDLE", "ATTEMPT", "AGE", "TIME LEFT", "STATE", "BACKEND"}, 3);
  const auto& jobs = answer.at("jobs").as_array();
  std::size_t listed = 0;
  for (const auto& entry : jobs) {
    const auto& job = entry.as_object();
    if (!is_of(job, pool)) continue;
    const std::string name = fmt::format("{} {}", safe(job.at("server")), safe(job.at("handle")));
    now.insert(name);
    if (goes_on && (*seen)->contains(name)) continue;
    ++listed;
    // A job that is held or waits has no backend.
    const auto* const backend = job.if_contains("backend");
    table.add({{safe(job.at("pool")), kBold},
               {safe(job.at("function"))},
               {safe(job.at("handle"))},
               {number(job.at("attempt"))},
               {seconds(job.at("age"))},
               {seconds(job.at("time_left"))},
               {safe(job.at("state"))},
               {backend && backend->is_string() ? safe(*backend) : "-"}});
  }
  if (seen) *seen = std::move(now);
  if (listed == 0 && !seen)
    return {pool.empty() ? "No job runs." : fmt::format("No job of pool {} runs.", shown(pool))};
  auto lines = table.lines(style);
  if (goes_on) {
    lines.erase(lines.begin());
    return lines;
  }
  const double running = number_of(answer.at("running"));
  if (running > static_cast<double>(jobs.size())) {
    lines.push_back(fmt::format("{:.0f} jobs run; of each pool the oldest are listed", running));
  }
  return lines;
}

std::vector<std::string> failure_lines(const json::object& answer, std::string_view pool, const Style& style,
                                       std::optional<double>* shown_until) {
  const bool goes_on = shown_until && shown_until->has_value();
  std::vector<const json::object*> failures;
  for (const auto& entry : answer.at("failures").as_array()) {
    const auto& failure = entry.as_object();
    const bool is_new = !goes_on || number_of(failure.at("at")) > **shown_until;
    if (is_new && is_of(failure, pool)) failures.push_back(&failure);
  }
  std::stable_sort(failures.begin(), failures.end(), [](const auto* one, const auto* other) {
    return number_of(one->at("at")) < number_of(other->at("at"));
  });
  if (failures.empty() && !shown_until) {
    return {pool.empty()
                ? "No job has failed since the daemon started."
                : fmt::format("No job of pool {} has failed since the daemon started.", shown(pool))};
  }
  if (shown_until && !failures.empty()) {
    *shown_until = number_of(failures.back()->at("at"));
  } else if (shown_until && !goes_on) {
    *shown_until = 0;
  }
  const double now = number_of(answer.at("at"));
  // Lines that stay on the screen or go to a file say when a job failed: how long ago is soon wrong.
  Table table(
      {shown_until ? "TIME" : "AGO", "POOL", "FUNCTION", "HANDLE", "ATTEMPTS", "TOOK", "KIND", "REASON"}, 4);
  for (const auto* failure : failures) {
    const double at = number_of(failure->at("at"));
    table.add({{shown_until ? time_of_day(at) : seconds(std::max(now - at, 0.0))},
               {safe(failure->at("pool")), kBold},
               {safe(failure->at("function"))},
               {safe(failure->at("handle"))},
               {number(failure->at("attempts"))},
               {seconds(failure->at("took"))},
               {safe(failure->at("kind"))},
               {safe(failure->at("reason")), kRed}});
  }
  auto lines = table.lines(style);
  if (goes_on) lines.erase(lines.begin());
  return lines;
}

std::optional<std::string> unknown_pool(const json::object& pools, std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& pool : pools.at("pools").as_array()) names.emplace_back(pool.at("name").as_string());
  if (std::find(names.begin(), names.end(), name) != names.end()) return std::nullopt;
  return fmt::format("the daemon has no pool {}{}", shown(name), config::did_you_mean(name, names));
}

std::string title(const json::object& status, std::string_view address, const Style& style) {
  const auto& daemon = status.at("daemon").as_object();
  const double up = number_of(status.at("at")) - number_of(daemon.at("started_at"));
  const std::string text = fmt::format("driveshaft {} on {} ({}), up for {}{}", safe(daemon.at("version")),
                                       safe(daemon.at("host")), address, seconds(up),
                                       daemon.at("state").as_string() == "draining" ? ", shutting down" : "");
  return colored(cut(text, style.width), kBold, style);
}

}  // namespace driveshaft::cli
