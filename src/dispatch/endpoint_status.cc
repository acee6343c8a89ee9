// SPDX-License-Identifier: MIT
#include "dispatch/endpoint_status.h"

#include <algorithm>
#include <utility>

namespace driveshaft::dispatch {
namespace {

using State = BackendStatus::State;

EndpointStatus::State state_of(State backend) {
  switch (backend) {
    case State::untried:
      return EndpointStatus::State::untried;
    case State::up:
    case State::failing:  // a failing backend is tried again and again, and answers
      return EndpointStatus::State::up;
    case State::down:
      return EndpointStatus::State::down;
    case State::paused:
      return EndpointStatus::State::paused;
    case State::draining:  // a draining backend does not count
      break;
  }
  return EndpointStatus::State::untried;
}

// The state with the lowest rank is the endpoint's.
int rank_of(State state) {
  constexpr State kRanks[] = {State::up, State::untried, State::failing, State::paused, State::down};
  return static_cast<int>(std::find(std::begin(kRanks), std::end(kRanks), state) - std::begin(kRanks));
}

}  // namespace

bool drains(const BackendStatus& backend) { return backend.state == State::draining; }

std::size_t count_of_lasting(const std::vector<BackendStatus>& backends) {
  return backends.size() - static_cast<std::size_t>(std::count_if(backends.begin(), backends.end(), drains));
}

bool has_no_weight(const EndpointStatus& endpoint) {
  return count_of_lasting(endpoint.backends) > 0 &&
         std::all_of(endpoint.backends.begin(), endpoint.backends.end(),
                     [](const BackendStatus& backend) { return backend.weight == 0; });
}

bool works(const BackendStatus& backend) {
  return backend.state == State::up || backend.state == State::untried;
}

// The endpoint has the state of its best backend. If several are equally bad, it is that of the one that went
// away last, because the endpoint is away since then.
EndpointStatus endpoint_status(std::vector<BackendStatus> backends, int held, int most) {
  EndpointStatus status;
  status.held = held;
  const BackendStatus* best = nullptr;
  bool all_full = true;
  std::optional<SteadyTime> next_try;
  const bool has_several = count_of_lasting(backends) > 1;
  for (const auto& backend : backends) {
    status.limit += backend.limit;
    status.connections += backend.connections;
    status.idle_connections += backend.idle_connections;
    if (drains(backend) || (backend.weight == 0 && has_several)) continue;
    all_full = all_full && backend.full;
    if (backend.next_try) next_try = std::min(next_try.value_or(*backend.next_try), *backend.next_try);
    const int rank = rank_of(backend.state);
    const bool speaks = !best || rank < rank_of(best->state) ||
                        (rank == rank_of(best->state) && !works(backend) && backend.since > best->since);
    if (speaks) best = &backend;
  }
  status.limit = std::min(status.limit, most);
  if (best) {
    status.state = state_of(best->state);
    status.since = best->since;
    if (!works(*best)) {
      status.why = best->why;
      status.next_try = next_try;
    }
    status.full = all_full;
  }
  status.backends = std::move(backends);
  return status;
}

}  // namespace driveshaft::dispatch
