// SPDX-License-Identifier: MIT
#include "config/pool_keys.h"

#include <fmt/format.h>

#include <limits>

#include "config/endpoint_keys.h"
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

bool has_https(const PoolConfig& pool) {
  return pool.has_uri([](const net::Uri& uri) { return uri.scheme == net::Uri::Scheme::https; });
}

bool has_fastcgi(const PoolConfig& pool) {
  return pool.has_uri([](const net::Uri& uri) { return uri.is_fastcgi(); });
}

constexpr Key<PoolConfig> kPoolKeys[] = {
    key<&PoolConfig::endpoint, EndpointValue>("job_processing_uri", kUriType, "from the next job on")
        .is_required()
        .described_by(describe_endpoint),
    key<&PoolConfig::worker_count, SlotCount>("worker_count", "a whole number ≥ 0", "at once").is_required(),
    key<&PoolConfig::paused, YesOrNo>("paused", "true or false", "at once"),
    Key<PoolConfig>{"jobs_list", "an array of functions", "at once", read_jobs_list, jobs_list_text,
                    same_jobs_list}
        .is_required()
        .described_by(describe_jobs_list),
    key<&PoolConfig::endpoint_tls, Tls>("endpoint_tls", kTlsType,
                                        "from the next job on, over a new connection")
        .formerly("tls")
        .renews(Renewal::connections)
        .effective_if(has_https),
    key<&PoolConfig::fastcgi_document_root, DocumentRoot>("fastcgi_document_root", kDocumentRootType,
                                                          "from the next job on, over a new connection")
        .renews(Renewal::connections)
        .effective_if(has_fastcgi),
};

// Calls `look`(value, uri) for each URI of an endpoint. There are no such calls if a URI was wrong.
template <class Look>
void for_uris(const Value& value, const EndpointConfig& endpoint, Look look) {
  if (!value.is(Node::Kind::array)) {
    for (const auto& backend : endpoint.backends) look(value, backend.uri);
    return;
  }
  if (value.node().children.size() != endpoint.backends.size()) return;
  for (std::size_t i = 0; i < endpoint.backends.size(); ++i) look(value.element(i), endpoint.backends[i].uri);
}

// The same for each function that has its own endpoint.
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
    if (own.endpoint) for_uris(functions.element(i).member(*uri), *own.endpoint, look);
  }
}

// The pool's own endpoint comes first.
template <class Look>
void for_all_uris(const Value& pool_value, const PoolConfig& pool, Look look) {
  if (const Node* uri = pool_value.node().find("job_processing_uri")) {
    for_uris(pool_value.member(*uri), pool.endpoint, look);
  }
  for_own_uris(pool_value, pool, look);
}

// Without this error jobs that were meant to be encrypted would be sent as plain text.
void check_tls_is_of_use(const Value& pool_value, const PoolConfig& pool) {
  const Node* tls = pool_value.node().find("endpoint_tls");
  if (!tls) tls = pool_value.node().find("tls");
  if (!tls || pool.endpoint.backends.empty() || has_https(pool)) return;
  const bool is_fastcgi = pool.endpoint.backends.front().uri.is_fastcgi();
  pool_value.member(*tls).error(
      fmt::format("{} does not use TLS: {}remove {}", text::printable(pool.endpoint.display(), 100),
                  is_fastcgi ? "FastCGI knows none, " : "write it with https://, or ", tls->key));
}

// Warns where a URI of the pool uses TLS and another one sends jobs over the network without it.
void warn_of_plain_uris(const Value& pool_value, const PoolConfig& pool) {
  const bool has_tls =
      pool.endpoint.has_uri([](const net::Uri& uri) { return uri.scheme == net::Uri::Scheme::https; });
  if (!has_tls) return;
  for_all_uris(pool_value, pool, [](const Value& value, const net::Uri& uri) {
    if (uri.scheme == net::Uri::Scheme::https || uri.is_unix()) return;
    value.warning(fmt::format("{} does not use TLS, as the pool does", text::printable(uri.display, 100)));
  });
}

// The user of a URI is sent in the header Authorization, which `headers` may have, too.
void check_authorizations(const Value& pool_value, const PoolConfig& pool) {
  for_all_uris(pool_value, pool, [&](const Value& value, const net::Uri& uri) {
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
  warn_of_plain_uris(value, pool);
  check_document_root(value, pool);
  read_keys(value, setting_keys(), pool.settings);
  check_authorizations(value, pool);
  warn_of_unknown_keys(value, names_in_pools(), top_level, "at the top level");
  config.pools.push_back(std::move(pool));
}

}  // namespace driveshaft::config
