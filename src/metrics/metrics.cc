// SPDX-License-Identifier: MIT
#include "metrics/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/seconds.h"
#include "metrics/families.h"
#include "metrics/http_status.h"

namespace driveshaft::metrics {
namespace {

using prometheus::Labels;

constexpr std::array<const char*, kEndpointStates> kEndpointStateNames{"up", "paused", "absent", "down"};

}  // namespace

FunctionMetrics::FunctionMetrics(Families& families, const std::string& pool, const std::string& function,
                                 PoolSeries& pool_series)
    : families_(families),
      pool_(pool),
      function_(function),
      pool_series_(pool_series),
      durations_(families.job_duration.Add({{"pool", pool}, {"function", function}}, kDurationBuckets)),
      failed_durations_(
          families.failed_job_duration.Add({{"pool", pool}, {"function", function}}, kDurationBuckets)),
      errors_(families.errors.Add({{"pool", pool}, {"function", function}})),
      timeouts_(families.timeouts.Add({{"pool", pool}, {"function", function}})),
      busy_(families.threads.Add({{"status", "busy"}, {"pool", pool}, {"function", function}})),
      completed_(families.jobs.Add({{"pool", pool}, {"function", function}, {"outcome", "complete"}})),
      refused_(families.jobs.Add({{"pool", pool}, {"function", function}, {"outcome", "refused"}})),
      failed_(families.jobs.Add({{"pool", pool}, {"function", function}, {"outcome", "failed"}})),
      requeued_(families.jobs.Add({{"pool", pool}, {"function", function}, {"outcome", "requeued"}})),
      dropped_(families.results_dropped.Add({{"pool", pool}, {"function", function}})) {}

FunctionMetrics::~FunctionMetrics() {
  families_.job_duration.Remove(&durations_);
  families_.failed_job_duration.Remove(&failed_durations_);
  families_.errors.Remove(&errors_);
  families_.timeouts.Remove(&timeouts_);
  families_.threads.Remove(&busy_);
  families_.results_dropped.Remove(&dropped_);
  if (paused_) families_.function_paused.Remove(paused_);
  for (const auto& [_, counter] : retries_) families_.retries.Remove(counter);
  for (const auto& [_, counter] : dead_letters_) families_.dead_letters.Remove(counter);
  for (Counter* outcome : {&completed_, &refused_, &failed_, &requeued_}) families_.jobs.Remove(outcome);
  for (const auto& [status, counter] : http_errors_) families_.http_errors.Remove(counter);
}

void FunctionMetrics::started() { busy_.Increment(); }
void FunctionMetrics::ended() { busy_.Decrement(); }

void FunctionMetrics::completed(std::chrono::nanoseconds duration) {
  durations_.Observe(base::seconds(duration));
  completed_.Increment();
  ++outcomes_.completed;
  ++pool_series_.tally.outcomes.completed;
  pool_series_.tally.durations.add(duration);
  pool_series_.tally.longest = std::max(pool_series_.tally.longest, duration);
}

void FunctionMetrics::connected(std::chrono::nanoseconds took) {
  pool_series_.connecting.Observe(base::seconds(took));
}

void FunctionMetrics::answer_began(std::chrono::nanoseconds took) {
  pool_series_.first_byte.Observe(base::seconds(took));
}

void FunctionMetrics::refused() {
  refused_.Increment();
  ++outcomes_.refused;
  ++pool_series_.tally.outcomes.refused;
}

void FunctionMetrics::failed() {
  ++outcomes_.failed;
  ++pool_series_.tally.outcomes.failed;
  errors_.Increment();
  failed_.Increment();
}

void FunctionMetrics::timed_out() {
  timeouts_.Increment();
  failed();
}

void FunctionMetrics::http_error(int status) {
  http_errors(status).Increment();
  failed();
}

void FunctionMetrics::failed_after(std::chrono::nanoseconds duration) {
  failed_durations_.Observe(base::seconds(duration));
}

void FunctionMetrics::requeued() { requeued_.Increment(); }

void FunctionMetrics::retried(std::string_view reason) {
  auto entry = retries_.find(reason);
  if (entry == retries_.end()) entry = retries_.emplace(std::string(reason), nullptr).first;
  if (!entry->second) {
    entry->second =
        &families_.retries.Add({{"pool", pool_}, {"function", function_}, {"reason", entry->first}});
  }
  entry->second->Increment();
}

Counter& FunctionMetrics::dead_letters(bool accepted) {
  Counter*& counter = dead_letters_[accepted];
  if (!counter) {
    counter = &families_.dead_letters.Add(
        {{"pool", pool_}, {"function", function_}, {"result", accepted ? "accepted" : "lost"}});
  }
  return *counter;
}

void FunctionMetrics::expect_dead_letters() {
  for (const bool accepted : {true, false}) dead_letters(accepted);
}

void FunctionMetrics::dead_lettered(bool accepted) { dead_letters(accepted).Increment(); }

void FunctionMetrics::set_paused(bool paused) {
  if (!paused_ && !paused) return;
  if (!paused_) paused_ = &families_.function_paused.Add({{"pool", pool_}, {"function", function_}});
  paused_->Set(paused ? 1 : 0);
}

void FunctionMetrics::result_dropped() { dropped_.Increment(); }

Counter& FunctionMetrics::http_errors(int status) {
  const auto [entry, is_new] = http_errors_.try_emplace(http_status_label(status));
  if (is_new) {
    entry->second =
        &families_.http_errors.Add({{"pool", pool_}, {"function", function_}, {"http_status", entry->first}});
  }
  return *entry->second;
}

PoolMetrics::PoolMetrics(std::shared_ptr<Families> families, std::string pool)
    : families_(std::move(families)),
      pool_(std::move(pool)),
      idle_(families_->threads.Add({{"status", "idle"}, {"pool", pool_}})),
      connections_(families_->connections.Add({{"pool", pool_}})),
      endpoint_up_(families_->endpoint_up.Add({{"pool", pool_}})),
      paused_(families_->pool_paused.Add({{"pool", pool_}})),
      breakers_open_(families_->breakers_open.Add({{"pool", pool_}})),
      limit_(families_->limit.Add({{"pool", pool_}})),
      held_(families_->jobs_held.Add({{"pool", pool_}})),
      results_refused_(families_->results_refused.Add({{"pool", pool_}})),
      series_{{},
              families_->http_phases.Add({{"pool", pool_}, {"phase", "connect"}}, kPhaseBuckets),
              families_->http_phases.Add({{"pool", pool_}, {"phase", "first_byte"}}, kPhaseBuckets)} {
  endpoint_up_.Set(1);
  for (std::size_t state = 0; state < kEndpointStates; ++state) {
    endpoints_[state] = &families_->endpoints.Add({{"pool", pool_}, {"state", kEndpointStateNames[state]}});
  }
}

PoolMetrics::~PoolMetrics() {
  families_->threads.Remove(&idle_);
  families_->connections.Remove(&connections_);
  families_->endpoint_up.Remove(&endpoint_up_);
  families_->pool_paused.Remove(&paused_);
  for (Gauge* endpoints : endpoints_) families_->endpoints.Remove(endpoints);
  families_->breakers_open.Remove(&breakers_open_);
  families_->limit.Remove(&limit_);
  families_->jobs_held.Remove(&held_);
  families_->results_refused.Remove(&results_refused_);
  families_->http_phases.Remove(&series_.connecting);
  families_->http_phases.Remove(&series_.first_byte);
}

void PoolMetrics::set_idle(int slots) { idle_.Set(slots); }

FunctionMetrics& PoolMetrics::function(const std::string& name) {
  if (const auto found = functions_.find(name); found != functions_.end()) return found->second;
  return functions_
      .emplace(std::piecewise_construct, std::forward_as_tuple(name),
               std::forward_as_tuple(*families_, pool_, name, series_))
      .first->second;
}

void PoolMetrics::forget(const std::string& name) { functions_.erase(name); }

void PoolMetrics::connections_changed(int change) { connections_.Increment(change); }

void PoolMetrics::endpoint_changed(std::optional<EndpointState> from, std::optional<EndpointState> to) {
  const auto add = [&](std::optional<EndpointState> state, int change) {
    if (!state) return;
    endpoints_.at(static_cast<std::size_t>(*state))->Increment(change);
    if (*state == EndpointState::down || *state == EndpointState::absent) endpoints_down_ += change;
  };
  add(from, -1);
  add(to, +1);
  endpoint_up_.Set(endpoints_down_ == 0 ? 1 : 0);
}

void PoolMetrics::breakers_open_changed(int change) { breakers_open_.Increment(change); }

void PoolMetrics::set_limit(int jobs) { limit_.Set(jobs); }

void PoolMetrics::set_paused(bool paused) { paused_.Set(paused ? 1 : 0); }

void PoolMetrics::set_held(int jobs) { held_.Set(jobs); }

Tally PoolMetrics::take_tally() {
  Tally taken = series_.tally;
  series_.tally.longest = std::chrono::nanoseconds::zero();
  return taken;
}

void PoolMetrics::result_refused() { results_refused_.Increment(); }

ServerMetrics::ServerMetrics(std::shared_ptr<Families> families, std::string server)
    : families_(std::move(families)),
      server_(std::move(server)),
      up_(families_->queue_up.Add({{"server", server_}})) {}

ServerMetrics::~ServerMetrics() {
  set_functions({});
  families_->queue_up.Remove(&up_);
  set_connected(std::nullopt);
}

void ServerMetrics::set_connected(std::optional<bool> connected) {
  if (!connected) {
    if (connected_) families_->gearmand_up.Remove(std::exchange(connected_, nullptr));
    return;
  }
  if (!connected_) connected_ = &families_->gearmand_up.Add({{"server", server_}});
  connected_->Set(*connected ? 1 : 0);
}

void ServerMetrics::set_queue_known(bool known) { up_.Set(known ? 1 : 0); }

void ServerMetrics::set_functions(const std::vector<Function>& functions) {
  auto before = std::exchange(series_, {});
  for (const auto& [name, queued, running, workers, waited] : functions) {
    auto known = before.extract(name);
    const auto state = [&, &function = name](const char* value) -> Gauge& {
      return families_->queue_jobs.Add({{"server", server_}, {"function", function}, {"state", value}});
    };
    const Series series =
        known ? known.mapped()
              : Series{state("queued"), state("running"),
                       families_->queue_workers.Add({{"server", server_}, {"function", name}}),
                       families_->queue_waiting.Add({{"server", server_}, {"function", name}})};
    series.queued.Set(static_cast<double>(queued));
    series.running.Set(static_cast<double>(running));
    series.workers.Set(static_cast<double>(workers));
    series.waited.Set(base::seconds(waited));
    series_.emplace(name, series);
  }
  for (const auto& [_, series] : before) remove(series);
}

void ServerMetrics::remove(const Series& series) {
  families_->queue_jobs.Remove(&series.queued);
  families_->queue_jobs.Remove(&series.running);
  families_->queue_workers.Remove(&series.workers);
  families_->queue_waiting.Remove(&series.waited);
}

PoolGauges::PoolGauges(std::shared_ptr<Families> families, const std::string& pool)
    : families_(std::move(families)),
      pool_(pool),
      slots_(families_->slots.Add({{"pool", pool}})),
      busy_connections_(families_->endpoint_connections.Add({{"pool", pool}, {"state", "busy"}})),
      idle_connections_(families_->endpoint_connections.Add({{"pool", pool}, {"state", "idle"}})) {}

PoolGauges::~PoolGauges() {
  set_backends({});
  families_->slots.Remove(&slots_);
  families_->endpoint_connections.Remove(&busy_connections_);
  families_->endpoint_connections.Remove(&idle_connections_);
}

void PoolGauges::set(const Values& values) {
  slots_.Set(values.slots);
  busy_connections_.Set(static_cast<double>(values.connections - values.idle_connections));
  idle_connections_.Set(static_cast<double>(values.idle_connections));
}

void PoolGauges::set_backends(const std::map<std::string, Backend>& backends) {
  auto before = std::exchange(backends_, {});
  for (const auto& [name, backend] : backends) {
    const auto known = before.extract(name);
    const BackendSeries series = known ? known.mapped() : make_series(name);
    series.up.Set(backend.up ? 1 : 0);
    series.weight.Set(backend.weight);
    series.jobs.Set(backend.jobs);
    series.connections.Set(static_cast<double>(backend.connections));
    series.succeeded.Increment(static_cast<double>(backend.succeeded));
    series.failed.Increment(static_cast<double>(backend.failed));
    backends_.emplace(name, series);
  }
  for (const auto& [_, series] : before) remove(series);
}

PoolGauges::BackendSeries PoolGauges::make_series(const std::string& backend) {
  const Labels labels{{"pool", pool_}, {"backend", backend}};
  const auto attempts = [&](const char* outcome) -> Counter& {
    return families_->backend_attempts.Add({{"pool", pool_}, {"backend", backend}, {"outcome", outcome}});
  };
  return {families_->backend_up.Add(labels),
          families_->backend_weight.Add(labels),
          families_->backend_jobs.Add(labels),
          families_->backend_connections.Add(labels),
          attempts("succeeded"),
          attempts("failed")};
}

void PoolGauges::remove(const BackendSeries& series) {
  families_->backend_up.Remove(&series.up);
  families_->backend_weight.Remove(&series.weight);
  families_->backend_jobs.Remove(&series.jobs);
  families_->backend_connections.Remove(&series.connections);
  families_->backend_attempts.Remove(&series.succeeded);
  families_->backend_attempts.Remove(&series.failed);
}

Registry::Registry(const std::string& version) : families_(std::make_shared<Families>()) {
  if (!version.empty()) families_->build_info.Add({{"version", version}}).Set(1);
}
Registry::~Registry() = default;

std::shared_ptr<PoolMetrics> Registry::pool(const std::string& name) {
  std::erase_if(pools_, [](const auto& entry) { return entry.second.expired(); });
  if (const auto found = pools_.find(name); found != pools_.end()) return found->second.lock();
  auto made = std::make_shared<PoolMetrics>(families_, name);
  pools_.emplace(name, made);
  return made;
}

std::shared_ptr<ServerMetrics> Registry::server(const std::string& address) const {
  return std::make_shared<ServerMetrics>(families_, address);
}

std::shared_ptr<PoolGauges> Registry::gauges(const std::string& pool) const {
  return std::make_shared<PoolGauges>(families_, pool);
}

void Registry::config_loaded() {
  families_->reload_successful.Set(1);
  families_->reload_success_time.SetToCurrentTime();
}

void Registry::config_reloaded(bool accepted) {
  (accepted ? families_->reloads_accepted : families_->reloads_rejected).Increment();
  if (accepted) {
    config_loaded();
  } else {
    families_->reload_successful.Set(0);
  }
}

void Registry::loop_was_late(std::chrono::nanoseconds late) {
  families_->loop_lag.Observe(base::seconds(std::max(late, std::chrono::nanoseconds::zero())));
}

void Registry::add_control_action(std::string_view action) {
  for (const char* outcome : {"done", "refused"}) {
    families_->control_actions.Add({{"action", std::string(action)}, {"outcome", outcome}});
  }
}

void Registry::control_action(std::string_view action, bool done) {
  const char* outcome = done ? "done" : "refused";
  families_->control_actions.Add({{"action", std::string(action)}, {"outcome", outcome}}).Increment();
}

void Registry::set_log_lines_lost(std::uint64_t lines) {
  families_->log_lines_lost.Increment(static_cast<double>(lines) - families_->log_lines_lost.Value());
}

void Registry::set_certificates(const CertificateEnds& ends) {
  std::erase_if(certificate_ends_, [&](const auto& known) {
    const bool gone = !ends.contains(known.first);
    if (gone) families_->certificate_ends.Remove(known.second);
    return gone;
  });
  for (const auto& [file, end] : ends) {
    auto& gauge = certificate_ends_[file];
    if (!gauge) gauge = &families_->certificate_ends.Add({{"file", file}});
    gauge->Set(std::chrono::duration<double>(end.time_since_epoch()).count());
  }
}

std::string Registry::text() const {
  families_->process.update();
  return prometheus::TextSerializer().Serialize(families_->registry.Collect());
}

}  // namespace driveshaft::metrics
