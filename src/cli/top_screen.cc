// SPDX-License-Identifier: MIT
#include "cli/top_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "cli/figures.h"
#include "cli/parts.h"
#include "cli/report.h"
#include "text/lower_case.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

namespace json = boost::json;
using List = TopState::List;
using Lines = std::vector<std::string>;

constexpr std::size_t kSummaryLines = 3;
constexpr std::size_t kHelpLines = 2;

Lines first_of(Lines lines, std::size_t most, std::size_t width) {
  if (lines.size() <= most) return lines;
  lines.resize(most);
  lines.back() = cut(lines.back() + " …", width);
  return lines;
}

// Whether the name of the pool, or the address of one of its endpoints or backends, contains the filter.
bool matches(const json::object& pool, const std::string& filter) {
  const auto has = [&](const json::value& text) {
    return text::in_lower_case(safe(text)).find(filter) != std::string::npos;
  };
  const auto is_one = [&](const json::object* endpoint) {
    const auto backends = backends_of(*endpoint);
    return has(endpoint->at("uri")) ||
           std::any_of(backends.begin(), backends.end(),
                       [&](const auto* backend) { return has(backend->at("name")); });
  };
  const auto endpoints = endpoints_of(pool);
  return has(pool.at("name")) || std::any_of(endpoints.begin(), endpoints.end(), is_one);
}

// 2: the pool has a bad problem, 1: it has a warning, 0: it has no problem.
int trouble_of_pool(const json::object& pool, const json::array& problems) {
  int trouble = trouble_of(worst_endpoint(pool));
  for (const auto& problem : problems) {
    if (problem.at("pool") != pool.at("name")) continue;
    trouble = std::max(trouble, problem.at("level").as_string() == "bad" ? 2 : 1);
  }
  return trouble;
}

double order_of(const json::object& pool, Sort sort, const json::array& problems) {
  switch (sort) {
    case Sort::busy:
      return number_of(pool.at("busy"));
    case Sort::failed:
      return number_of(pool.at("failures_per_second"));
    case Sort::waiting:
      return number_of(pool.at("queued_known").at("jobs"));
    case Sort::trouble:
      return trouble_of_pool(pool, problems);
    case Sort::name:
      break;
  }
  return 0;
}

// Sorts the greatest first. Equal entries keep their order.
template <class Order>
void sort_by(Entries& entries, Order order) {
  std::vector<std::pair<double, const json::object*>> ordered;
  for (const auto* entry : entries) ordered.emplace_back(order(*entry), entry);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& one, const auto& other) { return one.first > other.first; });
  std::transform(ordered.begin(), ordered.end(), entries.begin(),
                 [](const auto& entry) { return entry.second; });
}

Entries sorted_pools(const json::object& status, const TopState& state) {
  const auto& problems = status.at("problems").as_array();
  Entries pools;
  for (const auto* pool : entries_of(status, "pools")) {
    if (matches(*pool, text::in_lower_case(state.filter))) pools.push_back(pool);
  }
  if (state.sort == Sort::name) {
    std::stable_sort(pools.begin(), pools.end(), [](const auto* one, const auto* other) {
      return one->at("name").as_string() < other->at("name").as_string();
    });
  } else {
    sort_by(pools, [&](const json::object& pool) { return order_of(pool, state.sort, problems); });
  }
  return pools;
}

Entries sorted_servers(const json::object& status) {
  Entries servers = entries_of(status, "servers");
  sort_by(servers, [](const json::object& server) { return server.at("state").as_string() == "up" ? 0 : 1; });
  return servers;
}

Part part_of(const Table& table, const Style& style) {
  Part part;
  part.rows = table.lines(style);
  part.head = {"", part.rows.front()};
  part.rows.erase(part.rows.begin());
  return part;
}

Part pools_part(const TopNews& news, const TopState& state, const Style& style) {
  const Entries pools = sorted_pools(*news.status, state);
  Part part = part_of(pool_table(pools, number_of(news.status->at("at")),
                                 {.trends = &news.trends, .sort = state.sort, .backends = state.backends}),
                      style);
  if (!state.filter.empty()) {
    part.note = fmt::format("{} of {} pools have \"{}\"", pools.size(),
                            news.status->at("pools").as_array().size(), text::printable(state.filter, 200));
  }
  part.brief = 5;
  part.least = 2;
  return part;
}

Part servers_part(const json::object& status, const Style& style) {
  Part part = part_of(server_table(sorted_servers(status), number_of(status.at("at"))), style);
  part.brief = 4;
  part.least = 2;
  return part;
}

// If this list scrolls, it has all problems with their whole text. Otherwise it has a line for each problem
// but the first, which the summary names.
Part problems_part(const json::object& status, bool scrolls, const Style& style) {
  Part part;
  const auto& problems = status.at("problems").as_array();
  for (std::size_t i = scrolls ? 0 : 1; i < problems.size(); ++i) {
    const std::string text =
        fmt::format("- {}: {}", safe(problems[i].at("level")), safe(problems[i].at("text")));
    for (const auto& line : scrolls ? wrapped(text, style.width) : Lines{text}) {
      part.rows.push_back(colored(cut(line, style.width), color_of_problem(problems[i]), style));
    }
  }
  if (scrolls && problems.empty()) part.rows.emplace_back("There are no problems.");
  part.brief = 4;
  part.least = 1;
  return part;
}

std::string_view name_of(List list) {
  return list == List::pools ? "pools" : list == List::servers ? "servers" : "problems";
}

// The line is only broken between two keys, so a key and its explanation stay together.
Lines help(const TopState& state, bool has_backends, const Style& style) {
  if (state.is_typing) {
    return {cut(fmt::format("/{}▏ Enter: keep, Esc: all pools", text::printable(state.filter, 200)),
                style.width)};
  }
  std::vector<std::string> items{"q quit", state.filter.empty() ? "/ filter" : "/ filter, Esc all",
                                 fmt::format("Tab {}", name_of(next(state.list)))};
  if (has_backends) items.emplace_back(state.backends ? "e endpoints only" : "e backends");
  items.emplace_back("↑ ↓ PgUp PgDn Home End");
  items.emplace_back("sort: t trouble n name b busy f failed w waiting");
  Lines lines{""};
  for (const auto& item : items) {
    if (!lines.back().empty() && columns(lines.back()) + 2 + columns(item) > style.width)
      lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : "  ") + item;
  }
  if (lines.size() > kHelpLines) lines.resize(kHelpLines);
  for (auto& line : lines) line = colored(cut(line, style.width), kDim, style);
  return lines;
}

Lines lost(const TopNews& news, const Style& style) {
  if (news.lost.empty()) return {};
  Lines lines = first_of(wrapped("LOST: " + news.lost, style.width), 3, style.width);
  for (auto& line : lines) line = colored(cut(line, style.width), kRed, style);
  lines.push_back(
      cut(news.status ? "What follows is old; trying again every second." : "Trying again every second.",
          style.width));
  return lines;
}

Lines summary(const json::object& status, const Style& style) {
  const auto& problems = status.at("problems").as_array();
  const std::string_view color = problems.empty() ? kGreen : color_of_problem(problems.front());
  Lines lines = first_of(wrapped(safe(status.at("summary")), style.width), kSummaryLines, style.width);
  for (auto& line : lines) line = colored(cut(line, style.width), color, style);
  return lines;
}

// The lines of the three lists. The list that the state names scrolls.
Lines lists(const TopNews& news, TopState& state, std::size_t rows, const Style& style) {
  std::vector<Part> parts{problems_part(*news.status, state.list == List::problems, style),
                          pools_part(news, state, style), servers_part(*news.status, style)};
  Part& scrolls = parts[state.list == List::problems ? 0 : state.list == List::pools ? 1 : 2];
  std::size_t heads = 0;
  for (const auto& part : parts) heads += part.head.size();
  share(parts, scrolls, rows - std::min(rows, heads));
  state.room = scrolls.shown();
  state.first = scrolls.first = std::min(state.first, scrolls.rows.size() - scrolls.shown());
  Lines lines;
  for (const auto& part : parts) {
    for (auto& line : lines_of(part, style)) lines.push_back(std::move(line));
  }
  return lines;
}

bool has_backends(const TopNews& news) {
  if (!news.status) return false;
  const Entries pools = entries_of(*news.status, "pools");
  return std::any_of(pools.begin(), pools.end(), [](const auto* pool) {
    const auto endpoints = endpoints_of(*pool);
    return std::any_of(endpoints.begin(), endpoints.end(),
                       [](const auto* endpoint) { return !backends_of(*endpoint).empty(); });
  });
}

}  // namespace

Lines top_screen(const TopNews& news, TopState& state, Size size, bool color) {
  const Style style{.color = color, .width = size.columns};
  const Lines keys = help(state, has_backends(news), style);
  Lines lines;
  if (news.status) lines.push_back(title(*news.status, news.address, style));
  for (auto& line : lost(news, style)) lines.push_back(std::move(line));
  if (!news.status && news.lost.empty())
    lines.push_back(cut(fmt::format("Asking {} …", news.address), style.width));
  if (news.status) {
    for (auto& line : summary(*news.status, style)) lines.push_back(std::move(line));
    for (auto& line : lists(news, state, size.rows - std::min(size.rows, lines.size() + keys.size()), style))
      lines.push_back(std::move(line));
  }
  // The keys are always shown, at the bottom.
  lines.resize(size.rows - std::min(size.rows, keys.size()));
  lines.insert(lines.end(), keys.begin(), keys.end());
  lines.resize(size.rows);
  return lines;
}

}  // namespace driveshaft::cli
