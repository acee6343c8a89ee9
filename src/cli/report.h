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

// Formats the API's answers as text: the status of a daemon, its jobs and its failures. Pure.
namespace driveshaft::cli {

// Parses the API's answer at `path`, an object that must have this field. The error says why the text is no
// such answer.
base::Result<boost::json::object> parse_answer(std::string_view text, std::string_view path,
                                               std::string_view field);
inline base::Result<boost::json::object> parse_status(std::string_view text) {
  return parse_answer(text, "/api/v1/status", "well");
}

// The lines of `status`: the verdict, the other problems, a table of pools and a table of servers. If a field
// has another type than expected, this throws what boost::json throws.
std::vector<std::string> report(const boost::json::object& status, const Style& style);

// Tables of the answers of /api/v1/jobs and /api/v1/failures. `pool`: only its rows are shown; empty: those
// of all pools. The newest failure comes last. The last argument is null if the list is printed once. With
// --follow it points to what was shown before, which the call updates: `seen` to the running jobs that were
// shown, `shown_until` to the time of the last failure that was shown. If that is empty, the table has its
// head even without rows. Later tables have no head, and only the new rows: a job once, whatever its number
// of attempts. With --follow a failure has its time of day instead of its age.
using SeenJobs = std::set<std::string>;
std::vector<std::string> job_lines(const boost::json::object& answer, std::string_view pool,
                                   const Style& style, std::optional<SeenJobs>* seen = nullptr);
std::vector<std::string> failure_lines(const boost::json::object& answer, std::string_view pool,
                                       const Style& style, std::optional<double>* shown_until = nullptr);

// `pools` is the answer of /api/v1/pools. Returns a message if it has no pool of this name, otherwise
// nothing.
std::optional<std::string> unknown_pool(const boost::json::object& pools, std::string_view name);

// The first line of `top`.
std::string title(const boost::json::object& status, std::string_view address, const Style& style);

}  // namespace driveshaft::cli
