// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

// What a reload changes, by the tables of keys. The log names these changes, and the running program acts on
// the same ones. Pure.
namespace driveshaft::config {

// What an endpoint has to make again when a value changes. All other code reads the value when it needs it.
enum class Renewal {
  none,
  connections,   // every endpoint of the pool: its connections
  pace,          // how long connections live, how often names are looked up
  header_lines,  // those that all requests have in common
  signer,
};

// A key of a pool whose value has changed.
struct Change {
  std::string_view key;
  Renewal renewal;
  std::vector<std::string> lines;  // for the log, without secrets: "worker_count 4 -> 8"
};
using Changes = std::vector<Change>;

Changes compare(const PoolConfig& before, const PoolConfig& after);

bool renews(const Changes& changes, Renewal what);

// A line for the log for each difference, without secrets: "pool Regular: worker_count 4 -> 8". Empty:
// nothing has changed. The order of servers and pools does not matter.
std::vector<std::string> compare(const Config& before, const Config& after);

// The elements of `from` that `other` lacks, in their order.
std::vector<std::string> without(const std::vector<std::string>& from, const std::vector<std::string>& other);

}  // namespace driveshaft::config
