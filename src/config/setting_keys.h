// SPDX-License-Identifier: MIT
#pragma once

#include "config/config.h"
#include "config/key_table.h"

// The keys that a pool may give itself and the top level may give for all pools.
namespace driveshaft::config {

Keys<PoolSettings> setting_keys();
Keys<Retry> retry_keys();
Keys<BreakerSettings> breaker_keys();

}  // namespace driveshaft::config
