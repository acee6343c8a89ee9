// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/value.h"

// The keys of the jobs file: one row a key in the tables of keys.cc, from which the reader, its messages and
// the lists here are made.
namespace driveshaft::config {

// A key as the documentation lists it.
struct KeyInfo {
  std::string_view name;
  bool at_top_level;
  bool in_pool;
  std::string_view type;     // completes "expected …"
  std::string default_text;  // as the file would write it; empty: the key is required
  std::string_view reload;   // what a reload does with a new value
};
std::vector<KeyInfo> all_keys();

// Every setting of a pool with its value as the file would write it, in the table's order.
std::vector<std::pair<std::string_view, std::string>> settings_text(const PoolSettings& settings);

// As the jobs file writes it.
std::string_view name_of(RequestFormat format);
std::string_view name_of(AttemptFailure failure);

// Reads the outermost value of a jobs file. `config` is of use only if no error was added to its problems.
void read_top_level(const Value& root, Config& config);

}  // namespace driveshaft::config
