// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace driveshaft::text {

// "1 job", "2 jobs": for words whose plural ends in s.
inline std::string counted(std::uint64_t count, std::string_view what) {
  std::string text = std::to_string(count);
  text += ' ';
  text += what;
  if (count != 1) text += 's';
  return text;
}

// "1 job is", "2 jobs are": with a verb.
inline std::string counted(std::uint64_t count, std::string_view what, std::string_view of_one,
                           std::string_view of_many) {
  std::string text = counted(count, what);
  text += ' ';
  text += count == 1 ? of_one : of_many;
  return text;
}

// " (and 2 more errors)", to follow the first error; empty if `others` is 0. `what` is then "more error".
inline std::string and_more(std::uint64_t others, std::string_view what) {
  if (others == 0) return {};
  std::string text = " (and ";
  text += counted(others, what);
  text += ')';
  return text;
}

}  // namespace driveshaft::text
