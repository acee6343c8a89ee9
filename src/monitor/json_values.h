// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "monitor/view.h"

// Values of the API's answers: times are seconds since 1970, durations are seconds, and an unknown value is
// null. Pure.
namespace driveshaft::monitor {

// `value` rounded to 1/`precision`.
boost::json::value figure(double value, double precision);
inline boost::json::value rounded(double value) { return figure(value, 1000); }

boost::json::value time(WallTime at);
boost::json::value time(const View& view, SteadyTime at);
boost::json::value duration(std::optional<std::chrono::nanoseconds> took);

template <class Number>
boost::json::value number(const std::optional<Number>& value) {
  if (!value) return nullptr;
  return *value;
}

boost::json::value text_or_null(const std::string& text);
boost::json::array strings(const std::vector<std::string>& texts);

}  // namespace driveshaft::monitor
