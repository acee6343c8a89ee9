// SPDX-License-Identifier: MIT
#include "monitor/endpoint_json.h"

#include <optional>
#include <string>
#include <vector>

#include "monitor/json_values.h"

namespace driveshaft::monitor {
namespace {

namespace json = boost::json;
using dispatch::BackendStatus;
using dispatch::EndpointStatus;
using dispatch::PoolStatus;
using Figures = BackendHistory::Figures;

json::value time_or_null(const View& view, const std::optional<SteadyTime>& at) {
  return at ? time(view, *at) : nullptr;
}

json::object backend(const View& view, const BackendStatus& backend, const std::optional<Figures>& figures,
                     std::uint64_t attempts_of_all) {
  constexpr std::string_view kStates[] = {"untried", "up", "down", "paused", "failing", "draining"};
  const bool tried = backend.state != BackendStatus::State::untried;
  json::object shown{{"name", backend.name},
                     {"state", kStates[static_cast<std::size_t>(backend.state)]},
                     {"since", tried ? time(view, backend.since) : nullptr},
                     {"why", text_or_null(backend.why)},
                     {"next_try", time_or_null(view, backend.next_try)},
                     {"weight", backend.weight},
                     {"running", backend.running},
                     {"limit", backend.limit},
                     {"full", backend.full},
                     {"connections", backend.connections},
                     {"idle_connections", backend.idle_connections}};
  shown["attempts_per_second"] = figures ? rounded(figures->attempts_per_second) : nullptr;
  shown["failures_per_second"] = figures ? rounded(figures->failures_per_second) : nullptr;
  shown["share"] =
      figures && attempts_of_all > 0
          ? rounded(static_cast<double>(figures->attempts) / static_cast<double>(attempts_of_all))
          : nullptr;
  shown["p95"] = figures ? duration(figures->p95) : nullptr;
  return shown;
}

json::array backends(const View& view, const std::string& pool, const EndpointStatus& endpoint) {
  const auto histories = view.backends.find(pool);
  const auto figures = histories == view.backends.end()
                           ? std::vector<std::optional<Figures>>(endpoint.backends.size())
                           : histories->second.of(endpoint);
  std::uint64_t attempts = 0;
  for (const auto& one : figures) attempts += one ? one->attempts : 0;
  json::array shown;
  for (std::size_t i = 0; i < figures.size(); ++i) {
    shown.push_back(backend(view, endpoint.backends[i], figures[i], attempts));
  }
  return shown;
}

json::object shown(const View& view, const std::string& uri, const EndpointStatus& endpoint) {
  constexpr std::string_view kStates[] = {"untried", "up", "down", "paused"};
  const bool tried = endpoint.state != EndpointStatus::State::untried;
  return {{"uri", uri},
          {"state", kStates[static_cast<std::size_t>(endpoint.state)]},
          {"since", tried ? time(view, endpoint.since) : nullptr},
          {"why", text_or_null(endpoint.why)},
          {"next_try", time_or_null(view, endpoint.next_try)},
          {"held", endpoint.held},
          {"limit", endpoint.limit},
          {"full", endpoint.full},
          {"connections", endpoint.connections},
          {"idle_connections", endpoint.idle_connections}};
}

}  // namespace

json::object endpoint_json(const View& view, const PoolStatus& pool) {
  json::object endpoint = shown(view, pool.settings.endpoint.display(), pool.endpoint);
  endpoint["backends"] = backends(view, pool.settings.name, pool.endpoint);
  return endpoint;
}

json::array function_endpoints_json(const View& view, const PoolStatus& pool) {
  json::array endpoints;
  for (const auto& one : pool.function_endpoints) {
    json::object endpoint = shown(view, one.uri, one.endpoint);
    endpoint["functions"] = strings(one.functions);
    endpoint["backends"] = backends(view, pool.settings.name, one.endpoint);
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

}  // namespace driveshaft::monitor
