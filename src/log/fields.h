// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace driveshaft::log {

// The parts of a log line of a job, "What: key=value key=value …", whose values text::append_value() has
// written.
struct Fields {
  std::string_view what;
  std::vector<std::pair<std::string_view, std::string>> values;  // decoded; the bytes need not be UTF-8
};

// Nothing: it is another line. The views are into `line`. Pure.
std::optional<Fields> parse_fields(std::string_view line);

}  // namespace driveshaft::log
