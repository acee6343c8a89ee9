// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace driveshaft::log {

// A line of a job, "What: key=value key=value …", taken apart. The values are as text::append_value() writes
// them.
struct Fields {
  std::string_view what;
  std::vector<std::pair<std::string_view, std::string>> values;  // bytes that need not be UTF-8
};

// Nothing for any other line. The views are those of `line`. Pure.
std::optional<Fields> parse_fields(std::string_view line);

}  // namespace driveshaft::log
