// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <string_view>

#include "text/lower_case.h"

namespace driveshaft::text {

// Whether two texts are the same but for the case of ASCII letters, whatever the locale is. Pure.
constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower_case, lower_case);
}

}  // namespace driveshaft::text
