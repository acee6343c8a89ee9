// SPDX-License-Identifier: MIT
#include "config/function_keys.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unordered_map>

#include "config/key_table.h"
#include "text/printable.h"

namespace driveshaft::config {
namespace {

constexpr std::string_view kNone = "none";
constexpr double kMaxRunningTime = 1e9;  // seconds, as on the command line

// Where the rows put what they read.
struct Entry {
  std::string name;
  FunctionSettings settings;
};

bool read_name(const Value& value, Entry& entry) {
  const std::string& name = value.node().text;
  if (!value.is(Node::Kind::string) || name.empty()) {
    value.error(fmt::format("expected the name of a function, got {}", value.shown()));
  } else if (has_control(name)) {
    value.error(fmt::format("expected a name without control characters, got {}", value.shown()));
  } else if (name.size() > kMaxFunctionSize) {
    value.error(fmt::format("expected a name of at most {} bytes, got {}", kMaxFunctionSize, value.shown()));
  } else {
    entry.name = name;
  }
  return true;
}

constexpr Key<Entry> kFunctionKeys[] = {
    {"function", "the name of a function", "", read_name, nullptr},
    {"max_concurrency", "a whole number from 1 to 1000000", "",
     [](const Value& v, Entry& e) { return read_whole(v, 1, 1'000'000, e.settings.max_concurrency); },
     [](const Entry& e) {
       const int most = e.settings.max_concurrency;
       return most > 0 ? std::to_string(most) : std::string(kNone);
     }},
    {"max_running_time", "a number of seconds > 0 and ≤ 1000000000", "",
     [](const Value& v, Entry& e) {
       return read_seconds(v, 1e-9, kMaxRunningTime, e.settings.max_running_time);
     },
     [](const Entry& e) {
       const auto time = e.settings.max_running_time;
       return time.count() > 0 ? seconds_text(time) : std::string(kNone);
     }},
    {"job_processing_uri", kUriType, "",
     [](const Value& v, Entry& e) { return read_uri(v, e.settings.uri.emplace()); },
     [](const Entry& e) {
       return e.settings.uri ? quoted_json(e.settings.uri->display) : std::string(kNone);
     }},
};

// A name alone, or an object. Without a name it was complained about.
Entry read_entry(const Value& value) {
  Entry entry;
  if (value.is(Node::Kind::object)) {
    read_only_keys(value, kFunctionKeys, entry);
  } else if (value.is(Node::Kind::string)) {
    read_name(value, entry);
  } else {
    value.error(fmt::format(
        "expected the name of a function, or an object of function and its settings, got {}", value.shown()));
  }
  return entry;
}

}  // namespace

bool read_uri(const Value& value, net::Uri& uri) {
  if (!value.is(Node::Kind::string)) return false;
  auto parsed = net::parse_uri(value.node().text);
  if (parsed) {
    uri = std::move(*parsed);
  } else {
    value.error(parsed.error().message);
  }
  return true;
}

bool read_jobs_list(const Value& value, Pool& pool) {
  if (!value.is(Node::Kind::array)) return false;
  if (value.node().children.empty()) value.warning("empty, so this pool takes no job");
  std::unordered_map<std::string, bool> seen;  // whether it was an object
  for (std::size_t i = 0; i < value.node().children.size(); ++i) {
    const Value element = value.element(i);
    const bool is_object = element.is(Node::Kind::object);
    Entry entry = read_entry(element);
    if (entry.name.empty()) continue;
    const auto [first, is_new] = seen.emplace(entry.name, is_object);
    if (is_new) {
      pool.jobs_list.push_back(entry.name);
      if (entry.settings != FunctionSettings{}) {
        pool.functions.emplace(std::move(entry.name), std::move(entry.settings));
      }
    } else if (is_object || first->second) {
      element.error(fmt::format("{} is listed already, and only one entry can say how it runs; remove one",
                                text::printable(in_quotes(entry.name), kMaxFunctionSize + 2)));
    } else {
      element.warning(fmt::format("{} is listed already, ignored", element.shown()));
    }
  }
  return true;
}

std::string jobs_list_text(const Pool& pool) {
  std::vector<std::string> entries;
  for (const auto& name : pool.jobs_list) {
    const auto own = pool.functions.find(name);
    if (own == pool.functions.end()) {
      entries.push_back(quoted_json(name));
      continue;
    }
    std::vector<std::string> members{fmt::format("\"function\": {}", quoted_json(name))};
    for (const auto& [key, text] : function_settings_text(own->second)) {
      if (text != kNone) members.push_back(fmt::format("{}: {}", in_quotes(key), text));
    }
    entries.push_back(fmt::format("{{{}}}", fmt::join(members, ", ")));
  }
  return fmt::format("[{}]", fmt::join(entries, ", "));
}

std::vector<std::pair<std::string_view, std::string>> function_settings_text(
    const FunctionSettings& settings) {
  std::vector<std::pair<std::string_view, std::string>> texts;
  for (const auto& key : kFunctionKeys) {
    if (key.show) texts.emplace_back(key.name, key.show({{}, settings}));
  }
  return texts;
}

}  // namespace driveshaft::config
