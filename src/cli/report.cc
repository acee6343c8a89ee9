// SPDX-License-Identifier: MIT
#include "cli/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cmath>

#include "text/printable.h"

namespace driveshaft::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";

// Nothing that came over the network reaches the terminal unescaped.
std::string safe(const json::value& value) {
  const auto& text = value.as_string();
  return text::printable({text.data(), text.size()}, 2000);
}

double number_of(const json::value& value) { return value.to_number<double>(); }

std::string number(const json::value& value) {
  if (value.is_null()) return "-";
  const double number = number_of(value);
  if (std::trunc(number) == number) return fmt::format("{:.0f}", number);
  return fmt::format("{:.{}f}", number, std::abs(number) >= 100 ? 0 : std::abs(number) >= 10 ? 1 : 2);
}

std::string seconds(const json::value& value) {
  if (value.is_null()) return "-";
  const double seconds = number_of(value);
  if (seconds < 0.0995) return fmt::format("{:.1f}ms", seconds * 1e3);
  if (seconds < 0.9995) return fmt::format("{:.0f}ms", seconds * 1e3);
  if (seconds < 120) return fmt::format("{:.{}f}s", seconds, seconds < 10 ? 1 : 0);
  if (seconds < 7200) return fmt::format("{:.0f}min", std::floor(seconds / 60));
  if (seconds < 172800) return fmt::format("{:.0f}h", std::floor(seconds / 3600));
  return fmt::format("{:.0f}d", std::floor(seconds / 86400));
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

// The first `width` characters, the last of them an ellipsis if some were cut.
std::string cut(std::string_view text, std::size_t width) {
  if (width == 0 || columns(text) <= width) return std::string(text);
  std::size_t end = 0;
  for (std::size_t left = width - 1; end < text.size(); ++end) {
    if (is_continuation(text[end])) continue;
    if (left-- == 0) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

// A sentence in lines of that width, broken at spaces.
std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines{""};
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (width > 0 && !lines.back().empty() && columns(lines.back()) + 1 + columns(word) > width)
      lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
  }
  return lines;
}

struct Cell {
  std::string text;
  std::string_view color = {};
};

class Table {
 public:
  // The first columns, so many as `left` says, and the last one stand to the left, the others to the right.
  explicit Table(std::vector<std::string> head, std::size_t left = 1)
      : head_(std::move(head)), left_(left), widths_(head_.size()) {
    for (std::size_t i = 0; i < head_.size(); ++i) widths_[i] = columns(head_[i]);
  }

  void add(std::vector<Cell> row) {
    for (std::size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], columns(row[i].text));
    rows_.push_back(std::move(row));
  }

  std::vector<std::string> lines(const Style& style) const {
    std::vector<Cell> head;
    for (const auto& name : head_) head.push_back({name, kDim});
    std::vector<std::string> lines{line(head, style)};
    for (const auto& row : rows_) lines.push_back(line(row, style));
    return lines;
  }

 private:
  std::string line(const std::vector<Cell>& row, const Style& style) const {
    std::string line;
    std::size_t used = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t gap = i == 0 ? 0 : 2;
      if (style.width > 0 && used + gap + 1 > style.width) break;
      const std::size_t room = style.width == 0 ? 0 : style.width - used - gap;
      const bool last = i + 1 == row.size();
      const std::size_t padding = last ? 0 : widths_[i] - columns(row[i].text);
      const bool left = i < left_ || last;
      std::string text =
          left ? row[i].text + std::string(padding, ' ') : std::string(padding, ' ') + row[i].text;
      text = cut(text, room);
      used += gap + columns(text);
      line.append(gap, ' ');
      if (style.color && !row[i].color.empty()) {
        line.append(row[i].color).append(text).append(kPlain);
      } else {
        line.append(text);
      }
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  }

  std::vector<std::string> head_;
  std::size_t left_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<Cell>> rows_;
};

std::string spark(const std::deque<double>& values) {
  constexpr std::string_view kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const double most = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  std::string bars;
  for (const double value : values) {
    bars += kBars[most <= 0 ? 0 : static_cast<std::size_t>(std::min(value / most * 7 + 0.5, 7.0))];
  }
  return bars;
}

// Of a pool's endpoints the one that is worst off, and how many others it has.
struct ShownEndpoint {
  const json::object* worst;
  std::size_t others;
};

ShownEndpoint shown_endpoint(const json::object& pool) {
  const auto trouble = [](const json::object& endpoint) {
    const auto& state = endpoint.at("state").as_string();
    return state == "down" ? 2 : state == "paused" ? 1 : 0;
  };
  ShownEndpoint shown{&pool.at("endpoint").as_object(), 0};
  const auto* others = pool.if_contains("function_endpoints");
  if (!others) return shown;
  for (const auto& entry : others->as_array()) {
    ++shown.others;
    if (trouble(entry.as_object()) > trouble(*shown.worst)) shown.worst = &entry.as_object();
  }
  return shown;
}

// Where the queue of a server is unknown, those of the others.
std::string waiting_jobs(const json::object& pool) {
  const auto& known = pool.at("queued_known").as_object();
  if (!pool.at("queued").is_null() || number_of(known.at("servers")) == 0) return number(pool.at("queued"));
  return fmt::format("{} at {} of {}", number(known.at("jobs")), number(known.at("servers")),
                     number(known.at("of")));
}

std::vector<std::string> pool_lines(const json::object& status, const Style& style, const Trends* trends) {
  std::vector<std::string> head{"POOL", "BUSY", "JOBS/S",  "FAILED/S", "P50",
                                "P95",  "P99",  "WAITING", "ENDPOINT"};
  if (trends) head.insert(head.end() - 1, "JOBS/S, LAST 30 S");
  Table table(std::move(head));
  for (const auto& entry : status.at("pools").as_array()) {
    const auto& pool = entry.as_object();
    const auto [worst, others] = shown_endpoint(pool);
    const json::object& endpoint = *worst;
    const double busy = number_of(pool.at("busy"));
    const double slots = number_of(pool.at("slots"));
    const bool draining = pool.at("state").as_string() == "draining";
    const bool down = endpoint.at("state").as_string() == "down";
    const bool paused = endpoint.at("state").as_string() == "paused";
    std::string shown = fmt::format("{} {}", safe(endpoint.at("state")), safe(endpoint.at("uri")));
    if (number_of(endpoint.at("held")) > 0) shown += fmt::format(" ({} held)", number(endpoint.at("held")));
    if (down || paused) shown += ": " + safe(endpoint.at("why"));
    if (others > 0) shown += fmt::format(" (and {} other{})", others, others == 1 ? "" : "s");
    std::vector<Cell> row{
        {safe(pool.at("name")), kBold},
        {draining ? fmt::format("{:.0f} left", busy) : fmt::format("{:.0f}/{:.0f}", busy, slots),
         slots > 0 && busy >= slots ? kYellow : ""},
        {number(pool.at("jobs_per_second"))},
        {number(pool.at("failures_per_second")), number_of(pool.at("failures_per_second")) > 0 ? kRed : ""},
        {seconds(pool.at("p50"))},
        {seconds(pool.at("p95"))},
        {seconds(pool.at("p99"))},
        {waiting_jobs(pool)},
        {std::move(shown), down     ? kRed
                           : paused ? kYellow
                                    : ""}};
    if (trends) {
      const auto known = trends->find(safe(pool.at("name")));
      row.insert(row.end() - 1, {known == trends->end() ? "" : spark(known->second), kGreen});
    }
    table.add(std::move(row));
  }
  return table.lines(style);
}

std::vector<std::string> server_lines(const json::object& status, const Style& style) {
  Table table({"GEARMAND", "CONNECTIONS", "WAITING", "RUNNING", "OTHER WORKERS", "STATE"});
  const double now = number_of(status.at("at"));
  for (const auto& entry : status.at("servers").as_array()) {
    const auto& server = entry.as_object();
    const auto& links = server.at("connections").as_object();
    const auto* queue = server.at("queue").if_object();
    const auto of_queue = [&](const char* name) { return queue ? number(queue->at(name)) : "-"; };
    const bool down = server.at("state").as_string() == "down";
    std::string state = safe(server.at("state"));
    if (!server.at("since").is_null()) {
      state += fmt::format(" for {}", seconds(std::max(now - number_of(server.at("since")), 0.0)));
    }
    if (server.at("why").is_string()) state += ": " + safe(server.at("why"));
    table.add({{safe(server.at("address")), kBold},
               {fmt::format("{}/{}", number(links.at("up")), number(links.at("wanted")))},
               {of_queue("queued")},
               {of_queue("running")},
               {of_queue("other_workers")},
               {std::move(state), down ? kRed : ""}});
  }
  return table.lines(style);
}

std::string shown(std::string_view pool) { return text::printable(pool, 128); }

bool is_of(const json::object& entry, std::string_view pool) {
  const auto& name = entry.at("pool").as_string();
  return pool.empty() || std::string_view(name.data(), name.size()) == pool;
}

std::string colored(std::string text, std::string_view color, const Style& style) {
  return style.color ? fmt::format("{}{}{}", color, text, kPlain) : text;
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

void note_trends(Trends& trends, const json::object& status) {
  for (const auto& entry : status.at("pools").as_array()) {
    auto& values = trends[safe(entry.at("name"))];
    values.push_back(number_of(entry.at("jobs_per_second")));
    if (values.size() > kTrendLength) values.pop_front();
  }
}

std::vector<std::string> report(const json::object& status, const Style& style, const Trends* trends) {
  std::vector<std::string> lines;
  const auto& problems = status.at("problems").as_array();
  const auto level_color = [](const json::value& problem) {
    return problem.at("level").as_string() == "bad" ? kRed : kYellow;
  };
  for (auto& line : wrapped(safe(status.at("summary")), style.width)) {
    lines.push_back(
        colored(std::move(line), problems.empty() ? kGreen : level_color(problems.front()), style));
  }
  for (std::size_t i = 1; i < problems.size(); ++i) {
    const std::string text =
        fmt::format("- {}: {}", safe(problems[i].at("level")), safe(problems[i].at("text")));
    for (auto& line : wrapped(text, style.width)) {
      lines.push_back(colored(std::move(line), level_color(problems[i]), style));
    }
  }
  for (auto& part : {pool_lines(status, style, trends), server_lines(status, style)}) {
    lines.emplace_back();
    lines.insert(lines.end(), part.begin(), part.end());
  }
  return lines;
}

std::vector<std::string> job_lines(const json::object& answer, std::string_view pool, const Style& style) {
  Table table({"POOL", "FUNCTION", "HANDLE", "ATTEMPT", "AGE", "TIME LEFT", "STATE"}, 3);
  const auto& jobs = answer.at("jobs").as_array();
  std::size_t listed = 0;
  for (const auto& entry : jobs) {
    const auto& job = entry.as_object();
    if (!is_of(job, pool)) continue;
    ++listed;
    table.add({{safe(job.at("pool")), kBold},
               {safe(job.at("function"))},
               {safe(job.at("handle"))},
               {number(job.at("attempt"))},
               {seconds(job.at("age"))},
               {seconds(job.at("time_left"))},
               {safe(job.at("state"))}});
  }
  if (listed == 0)
    return {pool.empty() ? "No job runs." : fmt::format("No job of pool {} runs.", shown(pool))};
  auto lines = table.lines(style);
  const double running = number_of(answer.at("running"));
  if (running > static_cast<double>(jobs.size())) {
    lines.push_back(fmt::format("{:.0f} jobs run; of each pool the oldest are listed", running));
  }
  return lines;
}

std::vector<std::string> failure_lines(const json::object& answer, std::string_view pool, const Style& style,
                                       std::optional<double>& shown_until) {
  std::vector<const json::object*> failures;
  for (const auto& entry : answer.at("failures").as_array()) {
    const auto& failure = entry.as_object();
    const bool is_new = !shown_until || number_of(failure.at("at")) > *shown_until;
    if (is_new && is_of(failure, pool)) failures.push_back(&failure);
  }
  std::stable_sort(failures.begin(), failures.end(), [](const auto* one, const auto* other) {
    return number_of(one->at("at")) < number_of(other->at("at"));
  });
  const bool goes_on = shown_until.has_value();
  if (failures.empty()) {
    if (goes_on) return {};
    shown_until = 0;
    return {pool.empty()
                ? "No job has failed since the daemon started."
                : fmt::format("No job of pool {} has failed since the daemon started.", shown(pool))};
  }
  shown_until = number_of(failures.back()->at("at"));
  const double now = number_of(answer.at("at"));
  Table table({"AGO", "POOL", "FUNCTION", "HANDLE", "ATTEMPTS", "TOOK", "REASON"}, 4);
  for (const auto* failure : failures) {
    table.add({{seconds(std::max(now - number_of(failure->at("at")), 0.0))},
               {safe(failure->at("pool")), kBold},
               {safe(failure->at("function"))},
               {safe(failure->at("handle"))},
               {number(failure->at("attempts"))},
               {seconds(failure->at("took"))},
               {safe(failure->at("reason")), kRed}});
  }
  auto lines = table.lines(style);
  if (goes_on) lines.erase(lines.begin());
  return lines;
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
