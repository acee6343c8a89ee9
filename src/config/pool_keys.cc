// SPDX-License-Identifier: MIT
#include "config/pool_keys.h"

#include <fmt/format.h>

#include <limits>

#include "config/fastcgi_keys.h"
#include "config/function_keys.h"
#include "config/header_keys.h"
#include "config/setting_keys.h"
#include "config/tls_keys.h"
#include "config/unknown_keys.h"
#include "text/printable.h"

namespace driveshaft::config {
namespace {

constexpr int kMaxWorkers = 1'000'000;

struct SlotCount : Whole<0, kMaxWorkers> {
  static bool read(const Value& value, int& slots) {
    double count = 0;
    if (!read_whole(value, 0, std::numeric_limits<double>::max(), count)) return false;
    if (count > kMaxWorkers) {
      value.error(fmt::format("expected at most {} slots in a pool, got {}", kMaxWorkers, value.shown()));
    } else {
      slots = static_cast<int>(count);
    }
    return true;
  }
};

std::vector<std::string> describe_uri(const PoolConfig& before, const PoolConfig& after) {
  const std::string& now = after.uri.display;
  if (before.uri.display != now) return {from_to("job_processing_uri", before.uri.display, now)};
  return {fmt::format("job_processing_uri {}: another password", now)};
}

bool has_https(const PoolConfig& pool) {
  return pool.has_uri([](const net::Uri& uri) { return uri.scheme == net::Uri::Scheme::https; });
}

bool has_fastcgi(const PoolConfig& pool) {
  return pool.has_uri([](const net::Uri& uri) { return uri.is_fastcgi(); });
}

constexpr Key<PoolConfig> kPoolKeys[] = {
    key<&PoolConfig::uri, EndpointUri>("job_processing_uri", kUriType,
                                       "the next job goes to the new one; running ones finish at the old one")
        .is_required()
        .renews(Renewal::address)
        .described_by(describe_uri),
    key<&PoolConfig::worker_count, SlotCount>("worker_count", "a whole number ≥ 0",
                                              "slots are added or, as their jobs finish, taken away")
        .is_required(),
    Key<PoolConfig>{
        "jobs_list", "an array of functions",
        "an added function is registered on the live connections; a removed one is withdrawn by new "
        "connections while the old ones finish their jobs; a limit or URI of its own is changed in place",
        read_jobs_list, jobs_list_text, same_jobs_list}
        .is_required()
        .described_by(describe_jobs_list),
    key<&PoolConfig::tls, Tls>("tls", kTlsType,
                               "the next job goes over a new connection; running ones finish on theirs")
        .renews(Renewal::connections)
        .if_it(has_https),
    key<&PoolConfig::document_root, DocumentRoot>(
        "fastcgi_document_root", kDocumentRootType,
        "the next job goes over a new connection; running ones finish on theirs")
        .renews(Renewal::connections)
        .if_it(has_fastcgi),
};

// Calls `look`(value, uri) for the URI of each function that has its own.
template <class Look>
void for_own_uris(const Value& pool_value, const PoolConfig& pool, Look look) {
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

// Without this error jobs that were meant to be encrypted would be sent as plain text.
void check_tls_is_of_use(const Value& pool_value, const PoolConfig& pool) {
  const Node* tls = pool_value.node().find("tls");
  if (!tls || pool.uri.display.empty()) return;
  if (has_https(pool)) return;
  pool_value.member(*tls).error(
      fmt::format("{} does not use TLS: {}remove tls", text::printable(pool.uri.display, 100),
                  pool.uri.is_fastcgi() ? "FastCGI knows none, " : "write it with https://, or "));
}

// Warns where the pool's URI uses TLS and the URI of a function sends jobs over the network without it.
void warn_of_plain_functions(const Value& pool_value, const PoolConfig& pool) {
  if (pool.uri.scheme != net::Uri::Scheme::https) return;
  for_own_uris(pool_value, pool, [](const Value& value, const net::Uri& uri) {
    if (uri.scheme == net::Uri::Scheme::https || uri.is_unix()) return;
    value.warning(fmt::format("{} does not use TLS, as the pool does", text::printable(uri.display, 100)));
  });
}

// The user of a URI is sent in the header Authorization, which `headers` may have, too.
void check_authorizations(const Value& pool_value, const PoolConfig& pool) {
  if (const Node* uri = pool_value.node().find("job_processing_uri")) {
    check_authorization(pool_value.member(*uri), pool.uri, pool.settings);
  }
  for_own_uris(pool_value, pool, [&](const Value& value, const net::Uri& uri) {
    check_authorization(value, uri, pool.settings);
  });
}

}  // namespace

Keys<PoolConfig> pool_keys() { return kPoolKeys; }

std::vector<std::string_view> names_in_pools() {
  std::vector<std::string_view> names;
  append_names(names, pool_keys());
  append_names(names, setting_keys());
  return names;
}

void read_pool(const Value& value, Config& config, const PoolSettings& defaults,
               const std::vector<std::string_view>& top_level) {
  PoolConfig pool;
  pool.name = value.node().key;
  pool.settings = defaults;
  if (pool.name.empty()) value.key_error("expected a pool with a name, got an empty one");
  if (has_control(pool.name)) value.key_error("expected a pool name without control characters");
  if (!value.is(Node::Kind::object)) {
    value.error(fmt::format("expected a pool as an object, got {}", value.shown()));
    return;
  }
  read_keys(value, pool_keys(), pool);
  check_tls_is_of_use(value, pool);
  warn_of_plain_functions(value, pool);
  check_document_root(value, pool);
  read_keys(value, setting_keys(), pool.settings);
  check_authorizations(value, pool);
  warn_of_unknown_keys(value, names_in_pools(), top_level, "at the top level");
  config.pools.push_back(std::move(pool));
}

}  // namespace driveshaft::config
