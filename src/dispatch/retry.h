// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/backoff.h"
#include "config/config.h"

namespace driveshaft::dispatch {

// How long to wait before the attempt after `attempt` (from 1), which failed with `failure`: drawn evenly
// from nothing to a span that doubles from initial_delay to max_delay, so that jobs which failed together do
// not come back together ("full jitter"). Nothing: the job has finally failed.
inline std::optional<std::chrono::milliseconds> retry_delay(const config::Retry& retry,
                                                            config::AttemptFailure failure, int attempt) {
  if (attempt >= retry.attempts) return std::nullopt;
  if (std::find(retry.on.begin(), retry.on.end(), failure) == retry.on.end()) return std::nullopt;
  auto span = std::min(retry.initial_delay, retry.max_delay);
  for (int i = 1; i < attempt && span < retry.max_delay; ++i) span = std::min(span * 2, retry.max_delay);
  return base::jittered(std::chrono::milliseconds(0), span);
}

}  // namespace driveshaft::dispatch
