// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

// What a reload changes, by the tables of keys. The log tells of these changes and the running program acts
// on them, so that neither can miss what the other knows.
namespace driveshaft::config {

// What an endpoint has to make anew for a new value. All else reads the value when it needs it.
enum class Renewal {
  none,
  connections,   // every endpoint of the pool: its connections
  pace,          // how long connections live, how often names are looked up
  header_lines,  // those that all requests have in common
  signer,
};

// A key of a pool that has another value.
struct Change {
  std::string_view key;
  Renewal renewal;
  std::vector<std::string> lines;  // for the log, without secrets: "worker_count 4 -> 8"
};
using Changes = std::vector<Change>;

Changes compare(const PoolConfig& before, const PoolConfig& after);

bool renews(const Changes& changes, Renewal what);

// A line for the log for each difference, without secrets: "pool Regular: worker_count 4 -> 8". None: there
// is nothing to put in force. The order of servers and pools is of no consequence.
std::vector<std::string> compare(const Config& before, const Config& after);

// The elements of `from` that `other` lacks, in their order.
std::vector<std::string> without(const std::vector<std::string>& from, const std::vector<std::string>& other);

}  // namespace driveshaft::config
