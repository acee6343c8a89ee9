// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

// Times and sizes as people write them, with their units. All pure.
namespace driveshaft::text {

// These complete a message "expected …".
inline constexpr std::string_view kDurationForms = "a time such as 5, \"500ms\", \"5s\" or \"10m\"";
inline constexpr std::string_view kSizeForms = "a size such as 65536, \"64k\" or \"64M\"";

// A decimal number and its unit, ms, s, m, h or d: "500ms", "1.5h". `of_bare` is the unit of a number without
// one; 0: a unit is required. A time above 0 is at least one millisecond. A time that is too long for the
// type becomes the longest. Nothing: the text is not a time.
std::optional<std::chrono::milliseconds> parse_duration(
    std::string_view text, std::chrono::milliseconds of_bare = std::chrono::milliseconds(0));

// A whole number of bytes, or one with a unit: B, or k, K, M or G, which may have B or iB behind it: "64M",
// "512kB". A k is 1024 bytes. A size that is too large for the type becomes the largest. Nothing: the text is
// not a size.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace driveshaft::text
