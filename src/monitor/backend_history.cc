// SPDX-License-Identifier: MIT
#include "monitor/backend_history.h"

#include <algorithm>
#include <utility>

#include "base/seconds.h"
#include "dispatch/endpoint_status.h"

namespace driveshaft::monitor {
namespace {

static_assert(sizeof(BackendHistory) <= 7'000, "its size is promised in docs/operations.md");

// If a reload has replaced the backend, the counts begin again.
bool begins_again(const metrics::Outcomes& now, const metrics::Outcomes& before) {
  return now.completed < before.completed || now.failed < before.failed;
}

}  // namespace

metrics::Outcomes BackendHistory::add(dispatch::SteadyTime at, const metrics::Tally& tally) {
  const auto& ended = tally.outcomes;
  if (begins_again(ended, now_.tally.outcomes)) *this = {};
  const auto& before = now_.tally.outcomes;
  const metrics::Outcomes came{
      .completed = ended.completed - before.completed, .refused = 0, .failed = ended.failed - before.failed};
  now_ = {at, tally};
  if (kept_.count() == 0 || at - kept_.back(0).at >= kStep) kept_.push(now_);
  return came;
}

BackendHistory::Figures BackendHistory::figures() const {
  Figures figures;
  if (kept_.count() == 0) return figures;
  const Moment& then = kept_.back(kept_.count() - 1);
  const auto& ended = now_.tally.outcomes;
  const auto& before = then.tally.outcomes;
  const auto took = std::max(base::seconds(now_.at - then.at), 0.001);
  const auto failed = ended.failed - before.failed;
  figures.attempts = ended.completed - before.completed + failed;
  figures.attempts_per_second = static_cast<double>(figures.attempts) / took;
  figures.failures_per_second = static_cast<double>(failed) / took;
  figures.p95 = now_.tally.durations.since(then.tally.durations).quantile(0.95);
  return figures;
}

std::map<std::string, metrics::PoolGauges::Backend> BackendHistories::add(dispatch::SteadyTime at,
                                                                          const dispatch::PoolStatus& pool) {
  Gauges gauges;
  Histories before = std::exchange(histories_, {});
  std::vector<const dispatch::EndpointStatus*> endpoints{&pool.endpoint};
  for (const auto& of_functions : pool.function_endpoints) endpoints.push_back(&of_functions.endpoint);
  for (const bool draining : {false, true}) {  // backends that drain come last: only kMost have histories
    for (const auto* endpoint : endpoints) {
      for (const auto& backend : endpoint->backends) {
        if (dispatch::drains(backend) == draining) add(at, backend, before, gauges);
      }
    }
  }
  return gauges;
}

void BackendHistories::add(dispatch::SteadyTime at, const dispatch::BackendStatus& backend, Histories& before,
                           Gauges& gauges) {
  if (histories_.size() == kMost) return;
  auto known = before.extract(backend.id);
  auto& history = known ? histories_.insert(std::move(known)).position->second : histories_[backend.id];
  const auto came = history.add(at, backend.tally);
  const auto [entry, is_new] = gauges.try_emplace(backend.name);
  auto& of_name = entry->second;
  if (!dispatch::drains(backend)) {
    of_name.up = (is_new || of_name.up) && backend.weight > 0 && dispatch::works(backend);
    of_name.weight = std::max(of_name.weight, backend.weight);
  }
  of_name.jobs += backend.running;
  of_name.connections += backend.connections;
  of_name.succeeded += came.completed;
  of_name.failed += came.failed;
}

std::vector<std::optional<BackendHistory::Figures>> BackendHistories::of(
    const dispatch::EndpointStatus& endpoint) const {
  std::vector<std::optional<BackendHistory::Figures>> figures;
  for (const auto& backend : endpoint.backends) {
    const auto found = histories_.find(backend.id);
    figures.push_back(found == histories_.end() ? std::nullopt : std::optional(found->second.figures()));
  }
  return figures;
}

}  // namespace driveshaft::monitor
