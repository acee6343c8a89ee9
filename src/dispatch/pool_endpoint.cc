// SPDX-License-Identifier: MIT
#include "dispatch/pool_endpoint.h"

#include <algorithm>
#include <utility>

#include "dispatch/endpoint_status.h"

namespace driveshaft::dispatch {

PoolEndpoint::PoolEndpoint(Context& context, LimitOwner& owner, Admission& admission,
                           metrics::PoolMetrics& metrics, Kind kind, const config::PoolConfig& settings,
                           config::EndpointConfig config)
    : context_(context),
      owner_(owner),
      admission_(admission),
      metrics_(metrics),
      kind_(kind),
      settings_(settings),
      config_(std::move(config)) {
  admission_.add(permits_);
  set_groups({});
  make_signer();
  tell_metrics();  // the owner makes this object, so it need not be told
}

PoolEndpoint::~PoolEndpoint() {
  groups_.clear();
  metrics_.endpoint_changed(said_state_, std::nullopt);
  admission_.remove(permits_);
}

template <class Do>
void PoolEndpoint::for_each_backend(Do act) const {
  for (const auto& group : groups_) {
    for (const auto& backend : group->backends()) act(*backend);
  }
}

template <class Is>
bool PoolEndpoint::has_backend(Is is) const {
  return std::any_of(groups_.begin(), groups_.end(), [&](const auto& group) {
    return std::any_of(group->backends().begin(), group->backends().end(),
                       [&](const auto& backend) { return is(*backend); });
  });
}

void PoolEndpoint::configure(const config::Changes& changes, const config::EndpointConfig& config) {
  using config::Renewal;
  config_ = config;
  set_groups(changes);
  if (renews(changes, Renewal::signer)) make_signer();
  backend_changed();
}

// Makes and configures the groups of config_. The other groups finish their jobs.
void PoolEndpoint::set_groups(const config::Changes& changes) {
  name_ = config_.display();
  const auto names = config_.names();
  const auto name_of = [&](std::vector<config::BackendConfig>::const_iterator backend) {
    return names[static_cast<std::size_t>(backend - config_.backends.begin())];
  };
  const auto before = groups_;
  for (const auto& group : before) {
    if (group->retired()) continue;
    const auto same = config_of(*group);
    if (same == config_.backends.end()) {
      group->retire();
    } else {
      group->configure(changes, *same, name_of(same));
    }
  }
  for (auto backend = config_.backends.cbegin(); backend != config_.backends.cend(); ++backend) {
    const bool is_there = std::any_of(before.begin(), before.end(), [&](const auto& group) {
      return !group->retired() && group->uri() == backend->uri;
    });
    if (is_there) continue;
    groups_.push_back(std::make_shared<BackendGroup>(context_, static_cast<BackendOwner&>(*this), admission_,
                                                     permits_, settings_, *backend, name_of(backend)));
    groups_.back()->start();
  }
  sort_groups();
}

// The configuration of the group; the end if config_ no longer has it.
std::vector<config::BackendConfig>::const_iterator PoolEndpoint::config_of(const BackendGroup& group) const {
  return std::find_if(config_.backends.begin(), config_.backends.end(),
                      [&](const auto& backend) { return backend.uri == group.uri(); });
}

// Sorts the groups in the order of the jobs file. Groups that only finish their jobs come last.
void PoolEndpoint::sort_groups() {
  const auto place = [this](const std::shared_ptr<BackendGroup>& group) {
    return group->retired() ? config_.backends.end() : config_of(*group);
  };
  std::stable_sort(groups_.begin(), groups_.end(),
                   [&](const auto& one, const auto& other) { return place(one) < place(other); });
}

void PoolEndpoint::retire() {
  retired_ = true;
  for (const auto& group : groups_) group->retire();
  backend_changed();
}

bool PoolEndpoint::unused() const {
  return permits_.unused() && !has_backend([](const Backend& backend) { return !backend.unused(); });
}

void PoolEndpoint::sweep_retired() {
  for (const auto& group : groups_) group->sweep();
  std::erase_if(groups_, [](const auto& group) { return group->retired() && group->unused(); });
  has_retired_ = has_backend([](const Backend& backend) { return backend.retired(); });
}

bool PoolEndpoint::has_succeeded_since(BackendHealth::Clock::time_point time) const {
  return has_backend([&](const Backend& backend) { return backend.health().has_succeeded_since(time); });
}

bool PoolEndpoint::gives_empty_answers() const {
  const auto now = BackendHealth::Clock::now();
  return has_backend([&](const Backend& backend) { return backend.health().gives_empty_answers(now); });
}

void PoolEndpoint::forget(const void* function) {
  for_each_backend([&](Backend& backend) { backend.forget(function); });
}

void PoolEndpoint::make_signer() {
  signer_.reset();
  if (!settings_.settings.signing.keys.empty()) signer_.emplace(settings_.settings.signing.keys);
}

OtherBackends PoolEndpoint::others_of(const Backend& backend) const {
  OtherBackends others;
  for_each_backend([&](const Backend& other) {
    if (&other == &backend || !other.is_given_jobs()) return;
    ++others.all;
    if (other.is_failing()) ++others.failing;
    if (!other.works()) return;
    ++others.working;
    others.share_failed += other.share_failed();
  });
  if (others.working > 0) others.share_failed /= others.working;
  return others;
}

void PoolEndpoint::cannot_be_reached(const Backend& backend) {
  for (const auto& group : groups_) {
    if (group->uri() == backend.uri()) group->look_up_soon();
  }
}

void PoolEndpoint::backend_changed() {
  if (std::exchange(in_change_, true)) return;  // called by one of the functions below
  take_back_failing_ones();
  hold_no_longer();
  in_change_ = false;
  has_retired_ = has_backend([](const Backend& backend) { return backend.retired(); });
  owner_.limit_changed();
  tell_metrics();
}

void PoolEndpoint::tell_metrics() {
  int limit = 0;
  for_each_backend([&](const Backend& backend) { limit += backend.shown_limit(); });
  limit = std::min(limit, settings_.worker_count);
  if (kind_ == Kind::of_pool && std::exchange(said_limit_, limit) != said_limit_) metrics_.set_limit(limit);
  if (const auto before = std::exchange(said_state_, counted_state()); before != said_state_) {
    metrics_.endpoint_changed(before, said_state_);
  }
}

// Takes back failing backends that can no longer be spared, and those that no longer fail more than the
// others.
void PoolEndpoint::take_back_failing_ones() {
  for_each_backend([&](Backend& backend) {
    if (!backend.is_failing()) return;
    const auto others = others_of(backend);
    const bool stays = others.can_spare_one() && is_outlier(backend.share_failed(), others.share_failed);
    if (!stays) backend.take_back();
  });
}

// If endpoint_down is not "hold", jobs wait for a backend that is away only while another one works. A
// reload, or the name server, may have taken the ones that worked.
void PoolEndpoint::hold_no_longer() {
  if (settings_.settings.endpoint_down == config::EndpointDown::hold) return;
  const auto is_away = [](const Backend& backend) {
    const auto state = backend.health().state();
    return state == BackendHealth::State::unreachable || state == BackendHealth::State::absent;
  };
  if (has_backend([&](const Backend& backend) { return backend.is_given_jobs() && !is_away(backend); }))
    return;
  for_each_backend([&](Backend& backend) {
    if (backend.is_given_jobs() && is_away(backend)) backend.hold_no_longer();
  });
}

// The state that the metrics count; nothing for an endpoint that no function has any more. If endpoint_down
// is not "hold", jobs are sent to an endpoint although it may be down.
std::optional<metrics::EndpointState> PoolEndpoint::counted_state() const {
  using metrics::EndpointState;
  if (retired_) return std::nullopt;
  const auto has = [this](BackendHealth::State state) {
    return has_backend(
        [&](const Backend& backend) { return backend.is_given_jobs() && backend.health().state() == state; });
  };
  const bool one_works = has_backend([](const Backend& backend) {
    return backend.is_given_jobs() && backend.health().reached() &&
           backend.health().state() == BackendHealth::State::up;
  });
  if (one_works) return EndpointState::up;
  if (has(BackendHealth::State::absent)) return EndpointState::absent;
  return has(BackendHealth::State::paused) ? EndpointState::paused : EndpointState::down;
}

std::vector<BackendStatus> PoolEndpoint::draining() const {
  std::vector<BackendStatus> backends;
  for_each_backend([&](const Backend& backend) {
    if (backend.is_draining()) backends.push_back(backend.status());
  });
  return backends;
}

EndpointStatus PoolEndpoint::status(std::vector<BackendStatus> others) const {
  std::vector<BackendStatus> backends;
  for_each_backend([&](const Backend& backend) {
    if (!backend.retired()) backends.push_back(backend.status());
  });
  for (auto& backend : draining()) backends.push_back(std::move(backend));
  for (auto& backend : others) backends.push_back(std::move(backend));
  return endpoint_status(std::move(backends), permits_.held(), settings_.worker_count);
}

}  // namespace driveshaft::dispatch
