// SPDX-License-Identifier: MIT
#include "monitor/endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "dispatch/endpoint_status.h"
#include "text/printable.h"

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using dispatch::EndpointStatus;
using dispatch::PoolStatus;

constexpr std::size_t kNamedFunctions = 5;

std::string in_a_line(const std::vector<std::string>& functions) {
  std::string line;
  for (std::size_t i = 0; i < std::min(functions.size(), kNamedFunctions); ++i) {
    if (i > 0) line += ", ";
    text::append_printable(line, functions[i], 128);
  }
  if (functions.size() > kNamedFunctions) {
    line += fmt::format(" and {} more", functions.size() - kNamedFunctions);
  }
  return line;
}

// With "endpoint_down": "fail" an endpoint that cannot be reached gets jobs all the same.
bool takes_no_jobs(const PoolStatus& pool, const EndpointStatus& endpoint) {
  if (endpoint.state == EndpointStatus::State::paused) return true;
  return endpoint.state == EndpointStatus::State::down &&
         pool.settings.settings.endpoint_down == config::EndpointDown::hold;
}

}  // namespace

std::vector<ServedEndpoint> endpoints_of(const PoolStatus& pool) {
  std::vector<ServedEndpoint> endpoints{
      {pool.endpoint, pool.settings.endpoint.display(), pool.settings.jobs_list}};
  for (const auto& [uri, endpoint, functions] : pool.function_endpoints) {
    std::erase_if(endpoints.front().functions, [&names = functions](const std::string& name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    });
    endpoints.push_back({endpoint, uri, functions});
  }
  return endpoints;
}

std::string outages_text(const Snapshot& snapshot, SteadyTime now) {
  std::string text;
  for (const auto& pool : snapshot.pools) {
    const auto endpoints = endpoints_of(pool);
    for (const auto& endpoint : endpoints) {
      const bool of_all = endpoints.size() == 1;
      const auto functions = of_all ? std::string() : " of " + in_a_line(endpoint.functions);
      if (dispatch::has_no_weight(endpoint.status)) {
        text += fmt::format("\npool {} takes no jobs{}: each backend of endpoint {} has the weight 0",
                            pool.settings.name, functions, endpoint.uri);
      } else if (takes_no_jobs(pool, endpoint.status)) {
        text += fmt::format("\npool {} has taken no jobs{} for {} s: endpoint {}: {}", pool.settings.name,
                            functions, (now - endpoint.status.since) / 1s, endpoint.uri, endpoint.status.why);
      }
    }
  }
  return text;
}

}  // namespace driveshaft::monitor
