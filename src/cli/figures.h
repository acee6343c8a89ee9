// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/value.hpp>
#include <string>

// Values of the API's answers as people read them; an unknown one is "-". These throw what boost::json throws
// when a value is not what it should be.
namespace driveshaft::cli {

// Nothing that came over the network reaches the terminal unescaped.
std::string safe(const boost::json::value& value);

double number_of(const boost::json::value& value);
std::string number(const boost::json::value& value);

// "2.5ms", "251ms", "7.9s", "12min", "3h", "5d"
std::string seconds(const boost::json::value& value);

}  // namespace driveshaft::cli
