// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/key_table.h"
#include "config/value.h"

// The keys of the jobs file. Each is one row of a table in a file *_keys.cc; the reader, its messages, the
// comparison at a reload, the API, and the lists here come from that row.
namespace driveshaft::config {

// A key as the documentation lists it.
struct KeyInfo {
  std::string_view name;
  bool at_top_level;
  bool in_pool;
  std::string_view type;         // completes "expected …"
  std::string default_text;      // as the file would write it; empty: the key is required
  std::string_view reload;       // what a reload does with a new value
  std::string_view former_name;  // empty: it has none
};
std::vector<KeyInfo> all_keys();

// The keys of the objects that are entries of a list, or values of a key.
struct NestedKeys {
  std::string_view of;
  std::vector<KeyInfo> keys;
};
std::vector<NestedKeys> nested_keys();

// Keys with their values as the file would write them: JSON, with secrets masked.
using KeyTexts = std::vector<std::pair<std::string_view, std::string>>;

// Every key of the pool that has an effect.
KeyTexts pool_texts(const PoolConfig& pool);

// The keys of the top level alone, without the lists.
Keys<Config> config_keys();

// The name in the jobs file.
std::string_view name_of(RequestFormat format);
std::string_view name_of(AttemptFailure failure);

// Reads the outermost value of a jobs file. `config` is of use only if no error was added to its problems.
void read_top_level(const Value& root, Config& config);

}  // namespace driveshaft::config
