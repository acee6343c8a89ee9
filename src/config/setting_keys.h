// SPDX-License-Identifier: MIT
#pragma once

#include "config/config.h"
#include "config/key_table.h"

// The keys that may stand in a pool, and at the top level for all pools.
namespace driveshaft::config {

Keys<PoolSettings> setting_keys();
Keys<Retry> retry_keys();
Keys<BreakerSettings> breaker_keys();

}  // namespace driveshaft::config
