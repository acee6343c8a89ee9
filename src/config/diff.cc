// SPDX-License-Identifier: MIT
#include "config/diff.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>

#include "config/function_keys.h"
#include "config/keys.h"
#include "config/tls_keys.h"

namespace driveshaft::config {

std::vector<std::string> without(const std::vector<std::string>& from,
                                 const std::vector<std::string>& other) {
  const std::unordered_set<std::string_view> others(other.begin(), other.end());
  std::vector<std::string> rest;
  std::copy_if(from.begin(), from.end(), std::back_inserter(rest),
               [&](const std::string& name) { return !others.contains(name); });
  return rest;
}

namespace {

const Server* find(const Config& config, const net::Address& address) {
  const auto server = std::find_if(config.servers.begin(), config.servers.end(),
                                   [&](const Server& s) { return s.address == address; });
  return server == config.servers.end() ? nullptr : &*server;
}

std::vector<Server> servers_without(const Config& from, const Config& other) {
  std::vector<Server> rest;
  std::copy_if(from.servers.begin(), from.servers.end(), std::back_inserter(rest),
               [&](const Server& server) { return !find(other, server.address); });
  return rest;
}

std::string server_tls_text(const Server& server) { return server.tls ? tls_text(*server.tls) : "none"; }

const Pool* find(const Config& config, const std::string& name) {
  const auto pool =
      std::find_if(config.pools.begin(), config.pools.end(), [&](const Pool& p) { return p.name == name; });
  return pool == config.pools.end() ? nullptr : &*pool;
}

PoolChange compare(const Pool& before, const Pool& after) {
  PoolChange change{before, after, without(after.jobs_list, before.jobs_list),
                    without(before.jobs_list, after.jobs_list)};
  change.functions_reordered =
      without(before.jobs_list, change.functions_removed) != without(after.jobs_list, change.functions_added);
  return change;
}

// That they are others, where all that may be shown is the same.
template <class Add>
void describe_secrets(const PoolSettings& before, const PoolSettings& after, Add add) {
  for (const Header& header : after.headers) {
    const auto known = std::find_if(before.headers.begin(), before.headers.end(), [&](const Header& other) {
      return other.name == header.name && other.file == header.file && other.value != header.value;
    });
    if (known == before.headers.end()) continue;
    add(fmt::format("headers: another value of {}{}", header.name,
                    header.file.empty() ? "" : ", from its file"));
  }
  if (before.signing.file == after.signing.file && before.signing.keys != after.signing.keys) {
    add(fmt::format("signing_secret_file {}: other secrets, {} now", after.signing.file,
                    after.signing.keys.size()));
  }
}

// What the functions have of their own.
template <class Add>
void describe_functions(const Pool& before, const Pool& after, Add add) {
  for (const auto& name : after.jobs_list) {
    const auto& own_before = before.of_function(name);
    const auto& own_after = after.of_function(name);
    if (own_before == own_after) continue;
    const auto texts_before = function_settings_text(own_before);
    const auto texts_after = function_settings_text(own_after);
    bool shown = false;
    for (std::size_t i = 0; i < texts_before.size(); ++i) {
      if (texts_before[i] == texts_after[i]) continue;
      shown = true;
      add(fmt::format("jobs_list: {}: {} {} -> {}", name, texts_before[i].first, texts_before[i].second,
                      texts_after[i].second));
    }
    if (!shown) add(fmt::format("jobs_list: {}: job_processing_uri: another password", name));
  }
}

void describe(const PoolChange& change, std::vector<std::string>& lines) {
  const auto add = [&](const std::string& text) {
    lines.push_back(fmt::format("pool {}: {}", change.after.name, text));
  };
  if (change.worker_count_changed()) {
    add(fmt::format("worker_count {} -> {}", change.before.worker_count, change.after.worker_count));
  }
  if (change.before.uri.display != change.after.uri.display) {
    add(fmt::format("job_processing_uri {} -> {}", change.before.uri.display, change.after.uri.display));
  } else if (change.uri_changed()) {
    add(fmt::format("job_processing_uri {}: another password", change.after.uri.display));
  }
  if (change.tls_changed()) {
    add(fmt::format("tls {} -> {}", tls_text(change.before.tls), tls_text(change.after.tls)));
  }
  if (change.document_root_changed()) {
    add(fmt::format("fastcgi_document_root \"{}\" -> \"{}\"", change.before.document_root,
                    change.after.document_root));
  }
  if (!change.functions_added.empty()) {
    add(fmt::format("jobs_list: added {}", fmt::join(change.functions_added, ", ")));
  }
  if (!change.functions_removed.empty()) {
    add(fmt::format("jobs_list: removed {}", fmt::join(change.functions_removed, ", ")));
  }
  if (change.functions_reordered) add("jobs_list: in another order");
  describe_functions(change.before, change.after, add);
  const auto before = settings_text(change.before.settings);
  const auto after = settings_text(change.after.settings);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    add(fmt::format("{} {} -> {}", before[i].first, before[i].second, after[i].second));
  }
  describe_secrets(change.before.settings, change.after.settings, add);
}

}  // namespace

bool Diff::empty() const {
  return servers_added.empty() && servers_removed.empty() && servers_changed.empty() && pools_added.empty() &&
         pools_removed.empty() && pools_changed.empty() &&
         log_workload_size_before == log_workload_size_after;
}

Diff compare(const Config& before, const Config& after) {
  Diff diff;
  diff.servers_added = servers_without(after, before);
  diff.servers_removed = servers_without(before, after);
  for (const Server& server : after.servers) {
    const Server* known = find(before, server.address);
    if (known && *known != server) diff.servers_changed.push_back({*known, server});
  }
  for (const Pool& pool : after.pools) {
    const Pool* known = find(before, pool.name);
    if (!known) {
      diff.pools_added.push_back(pool);
    } else if (*known != pool) {
      diff.pools_changed.push_back(compare(*known, pool));
    }
  }
  for (const Pool& pool : before.pools) {
    if (!find(after, pool.name)) diff.pools_removed.push_back(pool);
  }
  diff.log_workload_size_before = before.log_workload_size;
  diff.log_workload_size_after = after.log_workload_size;
  return diff;
}

std::vector<std::string> describe(const Diff& diff) {
  std::vector<std::string> lines;
  for (const auto& server : diff.servers_added) {
    const std::string tls = server.tls ? fmt::format(", tls {}", server_tls_text(server)) : "";
    lines.push_back(fmt::format("server {}: added{}", net::to_string(server.address), tls));
  }
  for (const auto& server : diff.servers_removed) {
    lines.push_back(fmt::format("server {}: removed", net::to_string(server.address)));
  }
  for (const auto& [before, after] : diff.servers_changed) {
    lines.push_back(fmt::format("server {}: tls {} -> {}", net::to_string(after.address),
                                server_tls_text(before), server_tls_text(after)));
  }
  for (const Pool& pool : diff.pools_added) {
    lines.push_back(fmt::format("pool {}: added, worker_count {}, {}, jobs_list: {}", pool.name,
                                pool.worker_count, pool.uri.display, fmt::join(pool.jobs_list, ", ")));
  }
  for (const Pool& pool : diff.pools_removed) lines.push_back(fmt::format("pool {}: removed", pool.name));
  for (const PoolChange& change : diff.pools_changed) describe(change, lines);
  if (diff.log_workload_size_before != diff.log_workload_size_after) {
    lines.push_back(fmt::format("log_workload_size {} -> {}", diff.log_workload_size_before,
                                diff.log_workload_size_after));
  }
  return lines;
}

}  // namespace driveshaft::config
