// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <string_view>

namespace driveshaft::text {

// Whether two texts are the same but for the case of ASCII letters, whatever the locale is. Pure.
constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  constexpr auto kLower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, kLower, kLower);
}

}  // namespace driveshaft::text
