// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/table.h"

// The status of a daemon as text. Pure.
namespace driveshaft::cli {

// The answer of the API at `path`, an object with that field; or why it is none.
base::Result<boost::json::object> parse_answer(std::string_view text, std::string_view path,
                                               std::string_view field);
inline base::Result<boost::json::object> parse_status(std::string_view text) {
  return parse_answer(text, "/api/v1/status", "well");
}

// The verdict, the other problems, a table of pools and one of servers, line by line. Throws what
// boost::json throws when a field is not what it should be.
std::vector<std::string> report(const boost::json::object& status, const Style& style);

// Tables of the answers of /api/v1/jobs and /api/v1/failures; `pool` empty: of all pools. The newest failure
// comes last. What follows may be null; it is set to follow a list: the first table then has its head even if
// it is empty, and the later ones have no head and only what is new. `seen`, in and out: the jobs that were
// shown, those that run no more left out. `shown_until`, in and out: the time of the last failure that was
// shown.
using SeenJobs = std::set<std::string>;
std::vector<std::string> job_lines(const boost::json::object& answer, std::string_view pool,
                                   const Style& style, std::optional<SeenJobs>* seen = nullptr);
std::vector<std::string> failure_lines(const boost::json::object& answer, std::string_view pool,
                                       const Style& style, std::optional<double>* shown_until = nullptr);

// Why there is no such pool, given the answer of /api/v1/pools; nothing if there is one.
std::optional<std::string> unknown_pool(const boost::json::object& pools, std::string_view name);

// The line above it, of `top`.
std::string title(const boost::json::object& status, std::string_view address, const Style& style);

}  // namespace driveshaft::cli
