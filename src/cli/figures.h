// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/value.hpp>
#include <string>

// Formats values of the API's answers for people; an unknown value (null) is "-". If a value has another type
// than expected, these functions throw what boost::json throws.
namespace driveshaft::cli {

// Escapes a text that came over the network, so that it is safe on a terminal.
std::string safe(const boost::json::value& value);

double number_of(const boost::json::value& value);
std::string number(const boost::json::value& value);

// "<0.1ms", "2.5ms", "251ms", "7.9s", "12min", "3h", "5d"
std::string seconds(const boost::json::value& value);

// The time of day of a time in seconds since 1970, in the zone of this process: "14:03:59".
std::string time_of_day(double at);

}  // namespace driveshaft::cli
