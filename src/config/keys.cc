// SPDX-License-Identifier: MIT
#include "config/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <unordered_set>

#include "config/fastcgi_keys.h"
#include "config/function_keys.h"
#include "config/header_keys.h"
#include "config/key_table.h"
#include "config/setting_keys.h"
#include "config/tls_keys.h"
#include "config/unknown_keys.h"
#include "text/printable.h"

namespace driveshaft::config {
namespace {

constexpr std::uint16_t kGearmanPort = 4730;
constexpr int kMaxWorkers = 1'000'000;

// Where the rows of the top level put what they read.
struct TopLevel {
  Config& config;
  PoolSettings settings;  // for pools that do not give their own
};

bool read_worker_count(const Value& value, Pool& pool) {
  double count = 0;
  if (!read_whole(value, 0, std::numeric_limits<double>::max(), count)) return false;
  if (count > kMaxWorkers) {
    value.error(fmt::format("expected at most {} slots in a pool, got {}", kMaxWorkers, value.shown()));
    return true;
  }
  pool.worker_count = static_cast<int>(count);
  return true;
}

bool read_address(const Value& value, Server& server) {
  if (!value.is(Node::Kind::string)) return false;
  auto address = net::parse_address(value.node().text, kGearmanPort);
  if (address) {
    server.address = std::move(*address);
  } else {
    value.error(address.error().message);
  }
  return true;
}

constexpr Key<Pool> kPoolKeys[] = {
    {"job_processing_uri", kUriType, "the next job goes to the new one; running ones finish at the old one",
     [](const Value& v, Pool& p) { return read_uri(v, p.uri); }, nullptr},
    {"worker_count", "a whole number ≥ 0", "slots are added or, as their jobs finish, taken away",
     read_worker_count, nullptr},
    {"jobs_list", "an array of functions",
     "an added function is registered on the live connections; a removed one is withdrawn by new connections "
     "while the old ones finish their jobs; a limit or URI of its own is changed in place",
     read_jobs_list, nullptr},
    {"tls", kTlsType, "the next job goes over a new connection; running ones finish on theirs",
     [](const Value& v, Pool& p) { return read_tls(v, p.tls); },
     [](const Pool& p) { return tls_text(p.tls); }},
    {"fastcgi_document_root", kDocumentRootType,
     "the next job goes over a new connection; running ones finish on theirs", read_document_root,
     [](const Pool& p) { return quoted_json(p.document_root); }},
};

constexpr Key<Server> kServerKeys[] = {
    {"address", "the address of a server", "", [](const Value& v, Server& s) { return read_address(v, s); },
     nullptr},
    {"tls", kTlsType, "", [](const Value& v, Server& s) { return read_tls(v, s.tls.emplace()); },
     [](const Server&) { return std::string(); }},
};

// An address alone, or an object of it and more. Nothing: it was complained about.
std::optional<Server> read_server(const Value& value) {
  Server server;
  if (value.is(Node::Kind::object)) {
    read_only_keys(value, kServerKeys, server);
  } else if (!read_address(value, server)) {
    value.error(fmt::format("expected the address of a server, or an object of address and tls, got {}",
                            value.shown()));
  }
  if (server.address.host.empty()) return std::nullopt;
  return server;
}

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

bool read_pools(const Value& value, TopLevel& top);

constexpr Key<TopLevel> kTopLevelKeys[] = {
    {"gearman_servers_list", "a non-empty array of servers",
     "added servers are connected to; removed ones get the results of their running jobs, then are left; so "
     "it is "
     "with the connections to one whose tls changes",
     read_servers, nullptr},
    {"pools_list", "an object of pools", "added pools start; removed ones finish their running jobs and go",
     read_pools, nullptr},
    {"log_workload_size", "a whole number of bytes from 0 to 2147483647", "holds from the next log line on",
     [](const Value& v, TopLevel& t) { return read_whole(v, 0, kMaxInt, t.config.log_workload_size); },
     [](const TopLevel& t) { return std::to_string(t.config.log_workload_size); }},
};

// By this name a file tells an editor its JSON Schema. It says nothing to us, so it is no row of a table.
constexpr std::string_view kSchemaKey = "$schema";

std::vector<std::string_view> top_level_names() {
  std::vector<std::string_view> names;
  append_names(names, kTopLevelKeys);
  append_setting_names(names);
  names.push_back(kSchemaKey);
  return names;
}

std::vector<std::string_view> pool_names() {
  std::vector<std::string_view> names;
  append_names(names, kPoolKeys);
  append_setting_names(names);
  return names;
}

// Calls `look`(value, uri) for each URI that a function has of its own.
template <class Look>
void for_own_uris(const Value& pool_value, const Pool& pool, Look look) {
  const Node* list = pool_value.node().find("jobs_list");
  if (!list) return;
  const Value functions = pool_value.member(*list);
  for (std::size_t i = 0; i < list->children.size(); ++i) {
    const Node* uri = list->children[i].find("job_processing_uri");
    const Node* name = list->children[i].find("function");
    if (!uri || !name) continue;
    const auto& own = pool.of_function(name->text);
    if (own.uri) look(functions.element(i).member(*uri), *own.uri);
  }
}

// To pass it over would leave jobs in plain text that were meant to be safe.
void check_tls_is_of_use(const Value& pool_value, const Pool& pool) {
  const Node* tls = pool_value.node().find("tls");
  if (!tls || pool.uri.display.empty()) return;
  if (pool.has_uri([](const net::Uri& uri) { return uri.scheme == net::Uri::Scheme::https; })) return;
  pool_value.member(*tls).error(
      fmt::format("{} does not use TLS: {}remove tls", text::printable(pool.uri.display, 100),
                  pool.uri.is_fastcgi() ? "FastCGI knows none, " : "write it with https://, or "));
}

// The pool's own URI uses TLS, and one of its functions goes another way over the network.
void warn_of_plain_functions(const Value& pool_value, const Pool& pool) {
  if (pool.uri.scheme != net::Uri::Scheme::https) return;
  for_own_uris(pool_value, pool, [](const Value& value, const net::Uri& uri) {
    if (uri.scheme == net::Uri::Scheme::https || uri.is_unix()) return;
    value.warning(fmt::format("{} does not use TLS, as the pool does", text::printable(uri.display, 100)));
  });
}

// A user of a URI is sent as Authorization, and so is what headers may have.
void check_authorizations(const Value& pool_value, const Pool& pool) {
  if (const Node* uri = pool_value.node().find("job_processing_uri")) {
    check_authorization(pool_value.member(*uri), pool.uri, pool.settings);
  }
  for_own_uris(pool_value, pool, [&](const Value& value, const net::Uri& uri) {
    check_authorization(value, uri, pool.settings);
  });
}

void read_pool(const Value& value, Config& config, const PoolSettings& defaults) {
  Pool pool;
  pool.name = value.node().key;
  pool.settings = defaults;
  if (pool.name.empty()) value.key_error("expected a pool with a name, got an empty one");
  if (has_control(pool.name)) value.key_error("expected a pool name without control characters");
  if (!value.is(Node::Kind::object)) {
    value.error(fmt::format("expected a pool as an object, got {}", value.shown()));
    return;
  }
  read_keys(value, kPoolKeys, pool);
  check_tls_is_of_use(value, pool);
  warn_of_plain_functions(value, pool);
  check_document_root(value, pool);
  read_settings(value, pool.settings);
  check_authorizations(value, pool);
  warn_of_unknown_keys(value, pool_names(), top_level_names(), "at the top level");
  config.pools.push_back(std::move(pool));
}

bool read_pools(const Value& value, TopLevel& top) {
  if (!value.is(Node::Kind::object)) return false;
  if (value.node().children.empty()) value.warning("no pools, so no job is taken");
  for (const Node& child : value.node().children) read_pool(value.member(child), top.config, top.settings);
  return true;
}

}  // namespace

void read_top_level(const Value& root, Config& config) {
  if (!root.is(Node::Kind::object)) {
    root.error(fmt::format("expected an object, got {}", root.shown()));
    return;
  }
  TopLevel top{config, {}};
  read_settings(root, top.settings);  // before the pools, which begin with them
  read_keys(root, kTopLevelKeys, top);
  warn_of_unknown_keys(root, top_level_names(), pool_names(), "inside a pool");
}

std::vector<KeyInfo> all_keys() {
  Config config;
  const TopLevel top{config, {}};
  std::vector<KeyInfo> keys;
  for (const auto& k : kTopLevelKeys) {
    keys.push_back({k.name, true, false, k.type, k.show ? k.show(top) : "", k.reload});
  }
  for (const auto& k : kPoolKeys) {
    keys.push_back({k.name, false, true, k.type, k.show ? k.show({}) : "", k.reload});
  }
  for (const auto& k : setting_infos({})) keys.push_back({k.name, true, true, k.type, k.value, k.reload});
  return keys;
}

std::vector<std::pair<std::string_view, std::string>> settings_text(const PoolSettings& settings) {
  std::vector<std::pair<std::string_view, std::string>> texts;
  for (const auto& key : setting_infos(settings)) texts.emplace_back(key.name, key.value);
  return texts;
}

}  // namespace driveshaft::config
