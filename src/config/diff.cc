// SPDX-License-Identifier: MIT
#include "config/diff.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "config/keys.h"
#include "config/pool_keys.h"
#include "config/server_keys.h"
#include "config/setting_keys.h"
#include "config/tls_keys.h"

namespace driveshaft::config {
namespace {

using Lines = std::vector<std::string>;

std::string name_of(const ServerConfig& server) { return "server " + net::to_string(server.address); }
std::string name_of(const PoolConfig& pool) { return "pool " + pool.name; }

bool is_same(const ServerConfig& one, const ServerConfig& other) { return one.address == other.address; }
bool is_same(const PoolConfig& one, const PoolConfig& other) { return one.name == other.name; }

std::string added(const ServerConfig& server) {
  return server.tls ? fmt::format("added, tls {}", Tls::show(*server.tls)) : "added";
}

std::string added(const PoolConfig& pool) {
  return fmt::format("added, worker_count {}, {}, jobs_list: {}", pool.worker_count, pool.endpoint.display(),
                     fmt::join(pool.jobs_list, ", "));
}

Lines changed(const ServerConfig& before, const ServerConfig& after) {
  Lines lines;
  for_changed_keys(server_keys(), before, after, [&](const auto&, const Lines& more) {
    lines.insert(lines.end(), more.begin(), more.end());
  });
  return lines;
}

Lines changed(const PoolConfig& before, const PoolConfig& after) {
  Lines lines;
  for (const Change& change : compare(before, after)) {
    lines.insert(lines.end(), change.lines.begin(), change.lines.end());
  }
  return lines;
}

template <class Entry>
const Entry* find(const std::vector<Entry>& entries, const Entry& wanted) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return is_same(entry, wanted); });
  return found == entries.end() ? nullptr : &*found;
}

template <class Entry>
void compare_entries(const std::vector<Entry>& before, const std::vector<Entry>& after, Lines& lines) {
  for (const Entry& entry : after) {
    if (!find(before, entry)) lines.push_back(fmt::format("{}: {}", name_of(entry), added(entry)));
  }
  for (const Entry& entry : before) {
    if (!find(after, entry)) lines.push_back(fmt::format("{}: removed", name_of(entry)));
  }
  for (const Entry& entry : after) {
    const Entry* known = find(before, entry);
    if (!known) continue;
    for (const auto& line : changed(*known, entry)) {
      lines.push_back(fmt::format("{}: {}", name_of(entry), line));
    }
  }
}

}  // namespace

std::vector<std::string> without(const std::vector<std::string>& from,
                                 const std::vector<std::string>& other) {
  const std::unordered_set<std::string_view> others(other.begin(), other.end());
  std::vector<std::string> rest;
  std::copy_if(from.begin(), from.end(), std::back_inserter(rest),
               [&](const std::string& name) { return !others.contains(name); });
  return rest;
}

Changes compare(const PoolConfig& before, const PoolConfig& after) {
  Changes changes;
  const auto add = [&](const auto& key, Lines lines) {
    changes.push_back({key.name, key.renewal, std::move(lines)});
  };
  for_changed_keys(pool_keys(), before, after, add);
  for_changed_keys(setting_keys(), before.settings, after.settings, add);
  return changes;
}

bool renews(const Changes& changes, Renewal what) {
  return std::any_of(changes.begin(), changes.end(),
                     [&](const Change& change) { return change.renewal == what; });
}

std::vector<std::string> compare(const Config& before, const Config& after) {
  Lines lines;
  compare_entries(before.servers, after.servers, lines);
  compare_entries(before.pools, after.pools, lines);
  for_changed_keys(config_keys(), before, after, [&](const auto&, const Lines& more) {
    lines.insert(lines.end(), more.begin(), more.end());
  });
  return lines;
}

}  // namespace driveshaft::config
