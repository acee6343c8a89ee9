// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

// Lower case of ASCII letters, whatever the locale is. All other bytes stay as they are. Pure.
namespace driveshaft::text {

constexpr char lower_case(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = lower_case(c);
  return lower;
}

}  // namespace driveshaft::text
