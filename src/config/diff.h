// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

// What a reload has to do: a pure comparison of the Config in force with the new one. The order of servers
// and pools is of no consequence and not compared.
namespace driveshaft::config {

// A pool that both have, under the same name.
struct PoolChange {
  Pool before;
  Pool after;
  std::vector<std::string> functions_added;    // in the order of after.jobs_list
  std::vector<std::string> functions_removed;  // in the order of before.jobs_list
  bool functions_reordered = false;            // the functions that stay stand in another order

  bool uri_changed() const { return before.uri != after.uri; }
  bool worker_count_changed() const { return before.worker_count != after.worker_count; }
  bool tls_changed() const { return before.tls != after.tls; }
  bool document_root_changed() const { return before.document_root != after.document_root; }
  bool settings_changed() const { return before.settings != after.settings; }
  bool functions_changed() const {
    return !functions_added.empty() || !functions_removed.empty() || functions_reordered;
  }
};

// A server that both have, under the same address.
struct ServerChange {
  Server before;
  Server after;
};

struct Diff {
  std::vector<Server> servers_added;
  std::vector<Server> servers_removed;
  std::vector<ServerChange> servers_changed;
  std::vector<Pool> pools_added;
  std::vector<Pool> pools_removed;
  std::vector<PoolChange> pools_changed;  // only those in which something differs
  std::size_t log_workload_size_before = 0;
  std::size_t log_workload_size_after = 0;

  bool empty() const;
};

Diff compare(const Config& before, const Config& after);

// A line for the log for each difference, without secrets: "pool Regular: worker_count 4 -> 8".
std::vector<std::string> describe(const Diff& diff);

// The elements of `from` that `other` lacks, in their order.
std::vector<std::string> without(const std::vector<std::string>& from, const std::vector<std::string>& other);

}  // namespace driveshaft::config
