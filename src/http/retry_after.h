// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace driveshaft::http {

// The value of a Retry-After header (RFC 9110, 10.2.3): how long to wait from `now` on. Seconds, or a date in
// any of the three forms of HTTP; one in the past is no wait. Nothing: it is neither.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value,
                                                      std::chrono::system_clock::time_point now);

}  // namespace driveshaft::http
