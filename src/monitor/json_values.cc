// SPDX-License-Identifier: MIT
#include "monitor/json_values.h"

#include <boost/json/array.hpp>
#include <boost/json/string.hpp>
#include <cmath>

#include "base/seconds.h"

namespace driveshaft::monitor {

namespace json = boost::json;
using base::seconds;

// A whole number is written as an integer: a double would be written with an exponent.
json::value figure(double value, double precision) {
  const double rounded = std::round(value * precision) / precision;
  if (std::trunc(rounded) == rounded && std::abs(rounded) < 1e15) return static_cast<std::int64_t>(rounded);
  return rounded;
}

json::value time(WallTime at) { return rounded(seconds(at.time_since_epoch())); }

json::value time(const View& view, SteadyTime at) { return time(view.snapshot.wall_time(at)); }

json::value duration(std::optional<std::chrono::nanoseconds> took) {
  if (!took) return nullptr;
  return figure(seconds(*took), 1e6);
}

json::value text_or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return json::string(text);
}

json::array strings(const std::vector<std::string>& texts) {
  json::array array;
  for (const auto& text : texts) array.emplace_back(text);
  return array;
}

}  // namespace driveshaft::monitor
