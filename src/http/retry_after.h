// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace driveshaft::http {

// How long to wait from `now` on, as the value of a Retry-After header (RFC 9110, 10.2.3) says: seconds, or a
// date in one of HTTP's three formats. A date in the past means no wait. Nothing: the value is neither.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value,
                                                      std::chrono::system_clock::time_point now);

}  // namespace driveshaft::http
