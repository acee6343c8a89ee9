// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config/config.h"

namespace driveshaft::config {

// The most connections to gearmand servers that all pools together may have. A greater number is a mistake:
// it is a product, and the operator did not notice that.
inline constexpr std::size_t kMostConnections = 10'000;

// Whether the pool opens connections for this function alone.
bool has_own_connections(const PoolConfig& pool, const std::string& function);

// How many connections to gearmand servers a pool keeps open.
std::size_t connection_count(const PoolConfig& pool, std::size_t servers);

// An error for the operator if there would be more than kMostConnections.
std::vector<std::string> check_connections(const Config& config);

}  // namespace driveshaft::config
