// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/object.hpp>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/table.h"

// The tables of pools and servers that `status` and `top` show. Pure.
namespace driveshaft::cli {

// The figures of jobs a second that `top` has seen of each pool, the newest last.
using Trends = std::map<std::string, std::deque<double>>;
inline constexpr std::size_t kTrendLength = 30;
void note_trends(Trends& trends, const boost::json::object& status);

using Entries = std::vector<const boost::json::object*>;
Entries entries_of(const boost::json::object& status, std::string_view list);

// endpoints_of(): the endpoints of a pool; the pool's own endpoint comes first. backends_of(): the backends
// of an endpoint; empty if it has only one.
Entries endpoints_of(const boost::json::object& pool);
Entries backends_of(const boost::json::object& endpoint);

enum class Sort { trouble, name, busy, failed, waiting };

struct PoolTableOptions {
  const Trends* trends = nullptr;
  Sort sort = Sort::trouble;
  bool backends = true;  // a line for each backend of an endpoint that has several
};

// If the width is not enough for all columns, they are left out in the order that docs/command-line.md lists;
// the state of an endpoint or a server always stays. The head of the column by which the pools are sorted has
// a mark. `now`: seconds since 1970, as the API's "at".
Table pool_table(const Entries& pools, double now, const PoolTableOptions& options = {});
Table server_table(const Entries& servers, double now);

// 2: the endpoint is down, 1: it is paused or some of its backends do not work, 0: neither.
int trouble_of(const boost::json::object& endpoint);
std::string_view color_of_problem(const boost::json::value& problem);

// The endpoint of the pool that has the most trouble.
const boost::json::object& worst_endpoint(const boost::json::object& pool);

}  // namespace driveshaft::cli
