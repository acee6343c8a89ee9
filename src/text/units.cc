// SPDX-License-Identifier: MIT
#include "text/units.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

namespace driveshaft::text {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Splits "1.5h" into "1.5" and "h".
std::pair<std::string_view, std::string_view> split(std::string_view text) {
  const auto unit = std::find_if(text.begin(), text.end(), [](char c) { return !is_digit(c) && c != '.'; });
  const auto size = static_cast<std::size_t>(unit - text.begin());
  return {text.substr(0, size), text.substr(size)};
}

std::optional<double> parse_decimal(std::string_view text) {
  if (text.empty() || !is_digit(text.front()) || !is_digit(text.back())) return {};
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error == std::errc::result_out_of_range) return std::numeric_limits<double>::max();
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

// 0: there is no such unit.
std::uint64_t bytes_of(std::string_view unit) {
  if (unit == "B") return 1;
  if (unit.size() > 1 && unit.ends_with('B')) unit.remove_suffix(unit.ends_with("iB") ? 2 : 1);
  if (unit == "k" || unit == "K") return 1024;
  if (unit == "M") return 1024 * 1024;
  return unit == "G" ? 1024 * 1024 * 1024 : 0;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text,
                                                        std::chrono::milliseconds of_bare) {
  using std::chrono::milliseconds;
  const std::pair<std::string_view, milliseconds> units[] = {{"", of_bare},
                                                             {"ms", milliseconds(1)},
                                                             {"s", std::chrono::seconds(1)},
                                                             {"m", std::chrono::minutes(1)},
                                                             {"h", std::chrono::hours(1)},
                                                             {"d", std::chrono::hours(24)}};
  const auto parts = split(text);
  const auto unit = std::find_if(std::begin(units), std::end(units),
                                 [&](const auto& one) { return one.first == parts.second; });
  const auto number = parse_decimal(parts.first);
  if (!number || unit == std::end(units) || unit->second.count() == 0) return {};
  const double count = *number * static_cast<double>(unit->second.count());
  if (count >= static_cast<double>(milliseconds::max().count())) return milliseconds::max();
  return milliseconds(count > 0 ? std::max(1LL, std::llround(count)) : 0);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  const auto parts = split(text);
  const std::uint64_t unit = bytes_of(parts.second);
  std::uint64_t number = 0;
  const auto end = parts.first.data() + parts.first.size();
  const auto read = std::from_chars(parts.first.data(), end, number);
  if (unit == 0 || parts.first.empty() || read.ptr != end) return {};
  if (read.ec == std::errc::result_out_of_range || number > kMost / unit) return kMost;
  return number * unit;
}

}  // namespace driveshaft::text
