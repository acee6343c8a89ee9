// SPDX-License-Identifier: MIT
#include "config/function_keys.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unordered_map>
#include <utility>

#include "config/endpoint_keys.h"
#include "config/unknown_keys.h"
#include "text/printable.h"

namespace driveshaft::config {
namespace {

// An entry that is being read.
struct Entry : FunctionSettings {
  std::string name;
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

struct Limit : Whole<0, 1'000'000> {
  static std::string show(int limit) { return limit > 0 ? std::to_string(limit) : std::string(kNone); }
};

struct OwnTime : Seconds<kMaxRunningTime> {
  static std::string show(std::chrono::milliseconds time) {
    return time.count() > 0 ? seconds_text(time) : std::string(kNone);
  }
};

constexpr Key<Entry> kNameKey[] = {
    Key<Entry>{"function", "the name of a function", "", read_name, nullptr, nullptr}.is_required(),
};

constexpr Key<FunctionSettings> kFunctionKeys[] = {
    key<&FunctionSettings::max_concurrency, Limit>("max_concurrency",
                                                   "a whole number from 0 (no limit) to 1000000"),
    key<&FunctionSettings::max_running_time, OwnTime>("max_running_time",
                                                      "a time from 0 (the pool's) to 1000000000 s"),
    key<&FunctionSettings::endpoint, OwnEndpointValue>("job_processing_uri", kUriType)
        .described_by(describe_own_endpoint),
};

// Reads a name alone, or an object. An entry without a name has been reported.
Entry read_entry(const Value& value) {
  Entry entry;
  if (value.is(Node::Kind::object)) {
    read_keys(value, Keys<Entry>(kNameKey), entry);
    read_keys(value, function_keys(), static_cast<FunctionSettings&>(entry));
    std::vector<std::string_view> names;
    append_names(names, Keys<Entry>(kNameKey));
    append_names(names, function_keys());
    refuse_unknown_keys(value, names);
  } else if (value.is(Node::Kind::string)) {
    read_name(value, entry);
  } else {
    value.error(fmt::format(
        "expected the name of a function, or an object of function and its settings, got {}", value.shown()));
  }
  return entry;
}

}  // namespace

Keys<FunctionSettings> function_keys() { return kFunctionKeys; }

bool read_jobs_list(const Value& value, PoolConfig& pool) {
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
      if (entry != FunctionSettings{}) pool.functions.emplace(entry.name, std::move(entry));
    } else if (is_object || first->second) {
      element.error(fmt::format("{} is listed already, and only one entry can say how it runs; remove one",
                                text::printable(in_quotes(entry.name), kMaxFunctionSize + 2)));
    } else {
      element.warning(fmt::format("{} is listed already, ignored", element.shown()));
    }
  }
  return true;
}

std::string jobs_list_text(const PoolConfig& pool) {
  std::vector<std::string> entries;
  for (const auto& name : pool.jobs_list) {
    const auto own = pool.functions.find(name);
    if (own == pool.functions.end()) {
      entries.push_back(quoted_json(name));
      continue;
    }
    std::vector<std::string> members{fmt::format("\"function\": {}", quoted_json(name))};
    for (const auto& key : kFunctionKeys) {
      if (const auto text = key.show(own->second); text != kNone) {
        members.push_back(fmt::format("{}: {}", in_quotes(key.name), text));
      }
    }
    entries.push_back(fmt::format("{{{}}}", fmt::join(members, ", ")));
  }
  return fmt::format("[{}]", fmt::join(entries, ", "));
}

bool same_jobs_list(const PoolConfig& one, const PoolConfig& other) {
  return one.jobs_list == other.jobs_list && one.functions == other.functions;
}

std::vector<std::string> describe_jobs_list(const PoolConfig& before, const PoolConfig& after) {
  std::vector<std::string> lines;
  const auto added = without(after.jobs_list, before.jobs_list);
  const auto removed = without(before.jobs_list, after.jobs_list);
  if (!added.empty()) lines.push_back(fmt::format("jobs_list: added {}", fmt::join(added, ", ")));
  if (!removed.empty()) lines.push_back(fmt::format("jobs_list: removed {}", fmt::join(removed, ", ")));
  if (without(before.jobs_list, removed) != without(after.jobs_list, added)) {
    lines.emplace_back("jobs_list: in another order");
  }
  for (const auto& name : after.jobs_list) {
    for_changed_keys(function_keys(), before.of_function(name), after.of_function(name),
                     [&](const auto&, const std::vector<std::string>& changes) {
                       for (const auto& line : changes) {
                         lines.push_back(fmt::format("jobs_list: {}: {}", name, line));
                       }
                     });
  }
  return lines;
}

std::string own_settings_text(const FunctionSettings& settings) {
  std::string text;
  for (const auto& key : kFunctionKeys) {
    if (const auto value = key.show(settings); value != kNone) text += fmt::format(" {} {}", key.name, value);
  }
  return text;
}

}  // namespace driveshaft::config
