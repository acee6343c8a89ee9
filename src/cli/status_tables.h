// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/object.hpp>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/table.h"

// The tables of pools and of servers, of `status` and of `top`. Pure.
namespace driveshaft::cli {

// Jobs a second of each pool, the newest last: what `top` has seen so far.
using Trends = std::map<std::string, std::deque<double>>;
inline constexpr std::size_t kTrendLength = 30;
void note_trends(Trends& trends, const boost::json::object& status);

using Entries = std::vector<const boost::json::object*>;
Entries entries_of(const boost::json::object& status, std::string_view list);

// The endpoints of a pool, its own first; the backends of an endpoint that has several, otherwise none.
Entries endpoints_of(const boost::json::object& pool);
Entries backends_of(const boost::json::object& endpoint);

enum class Sort { trouble, name, busy, failed, waiting };

struct PoolTableOptions {
  const Trends* trends = nullptr;
  Sort sort = Sort::trouble;
  bool backends = true;  // a line for each backend of an endpoint that has several
};

// Neither needs a terminal: where the width does not do, columns go in the order of docs/command-line.md, and
// the state of an endpoint or a server stays. The head of what the pools are sorted by has a mark.
Table pool_table(const Entries& pools, double now, const PoolTableOptions& options = {});
Table server_table(const Entries& servers, double now);

// 2: the endpoint is down, 1: it is paused or some of its backends do not work, 0: neither.
int trouble_of(const boost::json::object& endpoint);
std::string_view color_of_problem(const boost::json::value& problem);

// Of the pool's endpoints, the one that is worst off.
const boost::json::object& worst_endpoint(const boost::json::object& pool);

}  // namespace driveshaft::cli
