// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "monitor/verdict.h"
#include "monitor/view.h"

// The answers of /api/v1, as docs/openapi.yaml describes them. Times are seconds since 1970, durations are
// seconds, and an unknown value is null. The lists need a snapshot of Detail::all.
namespace driveshaft::monitor {

std::string status_json(const View& view, const Verdict& verdict);
std::string pools_json(const View& view);
std::string servers_json(const View& view);
std::string config_json(const View& view);
std::string jobs_json(const View& view);
// The failures of each pool, the newest first; with `newest`, that many of all pools together, the newest
// first.
std::string failures_json(const View& view, std::optional<std::size_t> newest = std::nullopt);
// Nothing if there is no such pool.
std::optional<std::string> pool_json(const View& view, std::string_view name);
std::optional<std::string> history_json(const View& view, std::string_view name, History::Span span);

}  // namespace driveshaft::monitor
