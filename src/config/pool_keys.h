// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/key_table.h"
#include "config/value.h"

// The keys that only a pool has.
namespace driveshaft::config {

Keys<PoolConfig> pool_keys();

// The names of all keys that may stand in a pool.
std::vector<std::string_view> names_in_pools();

// Adds the pool at `value` to `config`. `defaults`: the settings of the top level, for the keys that the pool
// does not have. `top_level`: the names of the keys that belong at the top level.
void read_pool(const Value& value, Config& config, const PoolSettings& defaults,
               const std::vector<std::string_view>& top_level);

}  // namespace driveshaft::config
