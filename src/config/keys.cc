// SPDX-License-Identifier: MIT
#include "config/keys.h"

#include <fmt/format.h>

#include <cstdint>
#include <unordered_set>

#include "config/function_keys.h"
#include "config/pool_keys.h"
#include "config/server_keys.h"
#include "config/setting_keys.h"
#include "config/tls_keys.h"
#include "config/unknown_keys.h"

namespace driveshaft::config {
namespace {

// The target of the rows of the lists.
struct TopLevel {
  Config config;
  PoolSettings settings;  // hold for pools without their own
};

std::vector<std::string_view> top_level_names();

bool read_servers(const Value& value, TopLevel& top) {
  if (!value.is(Node::Kind::array) || value.node().children.empty()) return false;
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < value.node().children.size(); ++i) {
    const Value element = value.element(i);
    auto server = read_server(element);
    if (!server) continue;
    if (!seen.insert(net::to_string(server->address)).second) {
      element.warning(fmt::format("{} is listed already, ignored", net::to_string(server->address)));
    } else {
      top.config.servers.push_back(std::move(*server));
    }
  }
  return true;
}

bool read_pools(const Value& value, TopLevel& top) {
  if (!value.is(Node::Kind::object)) return false;
  if (value.node().children.empty()) value.warning("no pools, so no job is taken");
  const auto elsewhere = top_level_names();
  for (const Node& child : value.node().children) {
    read_pool(value.member(child), top.config, top.settings, elsewhere);
  }
  return true;
}

// The entries of the lists are compared one by one in diff.cc.
constexpr Key<TopLevel> kListKeys[] = {
    Key<TopLevel>{"gearman_servers_list", "a non-empty array of servers", "at once", read_servers, nullptr,
                  nullptr}
        .is_required(),
    Key<TopLevel>{"pools_list", "an object of pools", "at once", read_pools, nullptr, nullptr}.is_required(),
};

constexpr Key<Config> kConfigKeys[] = {
    key<&Config::log_workload_size, Bytes<0, kMaxInt>>("log_workload_size",
                                                       "a size from 0 to 2147483647 bytes", "at once"),
};

// A file has this key for editors, which find the JSON Schema there. It means nothing to Driveshaft, so it is
// no row of a table.
constexpr std::string_view kSchemaKey = "$schema";

std::vector<std::string_view> top_level_names() {
  std::vector<std::string_view> names;
  append_names(names, Keys<TopLevel>(kListKeys));
  append_names(names, Keys<Config>(kConfigKeys));
  append_names(names, setting_keys());
  names.push_back(kSchemaKey);
  return names;
}

template <class Target>
void append_infos(std::vector<KeyInfo>& infos, Keys<Target> keys, bool at_top_level, bool in_pool) {
  for (const auto& key : keys) {
    infos.push_back({key.name, at_top_level, in_pool, key.type, key.required ? "" : key.show({}), key.reload,
                     key.former_name});
  }
}

template <class Target>
std::vector<KeyInfo> infos_of(Keys<Target> keys) {
  std::vector<KeyInfo> infos;
  append_infos(infos, keys, false, false);
  return infos;
}

template <class Target>
void append_texts(KeyTexts& texts, Keys<Target> keys, const Target& target) {
  for (const auto& key : keys) {
    if (!key.has_effect || key.has_effect(target)) texts.emplace_back(key.name, key.show(target));
  }
}

}  // namespace

Keys<Config> config_keys() { return kConfigKeys; }

void read_top_level(const Value& root, Config& config) {
  if (!root.is(Node::Kind::object)) {
    root.error(fmt::format("expected an object, got {}", root.shown()));
    return;
  }
  TopLevel top;
  read_keys(root, setting_keys(), top.settings);  // before the pools, which begin with them
  read_keys(root, Keys<TopLevel>(kListKeys), top);
  read_keys(root, config_keys(), top.config);
  warn_of_unknown_keys(root, top_level_names(), names_in_pools(), "inside a pool");
  config = std::move(top.config);
}

std::vector<KeyInfo> all_keys() {
  std::vector<KeyInfo> infos;
  append_infos(infos, Keys<TopLevel>(kListKeys), true, false);
  append_infos(infos, config_keys(), true, false);
  append_infos(infos, pool_keys(), false, true);
  append_infos(infos, setting_keys(), true, true);
  return infos;
}

std::vector<NestedKeys> nested_keys() {
  return {{"gearman_servers_list", infos_of(server_keys())},
          {"jobs_list", infos_of(function_keys())},
          {"endpoint_tls", infos_of(tls_keys())},
          {"retry", infos_of(retry_keys())},
          {"breaker", infos_of(breaker_keys())}};
}

KeyTexts pool_texts(const PoolConfig& pool) {
  KeyTexts texts;
  append_texts(texts, pool_keys(), pool);
  append_texts(texts, setting_keys(), pool.settings);
  return texts;
}

}  // namespace driveshaft::config
