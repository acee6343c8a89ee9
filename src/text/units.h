// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

// Times and sizes as people write them, with their units. All pure.
namespace driveshaft::text {

// Complete "expected …".
inline constexpr std::string_view kDurationForms = "a time such as 5, \"500ms\", \"5s\" or \"10m\"";
inline constexpr std::string_view kSizeForms = "a size such as 65536, \"64k\" or \"64M\"";

// A decimal number and its unit, ms, s, m, h or d: "500ms", "1.5h". A number without a unit counts `of_bare`;
// 0: it must have one. A time that is not 0 is at least a millisecond; one that is too long for the type is
// the longest. Nothing: the text is no time.
std::optional<std::chrono::milliseconds> parse_duration(
    std::string_view text, std::chrono::milliseconds of_bare = std::chrono::milliseconds(0));

// A whole number and its unit, k or K, M or G, each with B or iB behind it or without, or B alone: "64M",
// "512kB". A k is 1024 bytes. One that is too large for the type is the largest. Nothing: the text is no
// size.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace driveshaft::text
