// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/object.hpp>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// The status of a daemon as text. Pure.
namespace driveshaft::cli {

// The answer of /api/v1/status, or why it is none.
base::Result<boost::json::object> parse_status(std::string_view text);

struct Style {
  bool color = false;
  std::size_t width = 0;  // columns; 0: as wide as it gets
};

// Jobs a second of each pool, the newest last: what `top` has seen so far.
using Trends = std::map<std::string, std::deque<double>>;
inline constexpr std::size_t kTrendLength = 30;
void note_trends(Trends& trends, const boost::json::object& status);

// The verdict, the other problems, a table of pools and one of servers, line by line. Throws what
// boost::json throws when a field is not what it should be.
std::vector<std::string> report(const boost::json::object& status, const Style& style,
                                const Trends* trends = nullptr);

// The line above it, of `top`.
std::string title(const boost::json::object& status, std::string_view address, const Style& style);

}  // namespace driveshaft::cli
