// SPDX-License-Identifier: MIT
#include "dispatch/pool_endpoint.h"

#include <fmt/format.h>

#include <utility>

#include "base/backoff.h"
#include "base/seconds.h"
#include "dispatch/request_headers.h"
#include "log/log.h"
#include "text/printable.h"

namespace driveshaft::dispatch {
namespace {

using base::seconds;
using log::kMainLog;
using Clock = EndpointHealth::Clock;

}  // namespace

PoolEndpoint::PoolEndpoint(Context& context, LimitOwner& owner, Admission& admission,
                           metrics::PoolMetrics& metrics, Kind kind, const config::PoolConfig& settings,
                           net::Uri uri)
    : context_(context),
      owner_(owner),
      admission_(admission),
      metrics_(metrics),
      kind_(kind),
      pool_(settings.name),
      settings_(settings),
      uri_(std::move(uri)),
      health_(settings.worker_count, settings.settings.adaptive) {
  admission_.add(permits_);
  open();
  make_signer();
  admission_.set_limit(permits_, health_.limit());  // the owner need not be told yet
  health_changed();
}

PoolEndpoint::~PoolEndpoint() {
  if (counted_down_) metrics_.endpoints_down_changed(-1);
  admission_.remove(permits_);
}

void PoolEndpoint::configure(const config::Changes& changes) {
  using config::Renewal;
  const auto& now = settings_.settings;
  const bool moved = kind_ == Kind::of_pool && renews(changes, Renewal::address);
  const bool replaced = moved || renews(changes, Renewal::connections);
  if (moved) uri_ = settings_.uri;
  if (replaced) {
    replaced_.push_back(std::move(current_));
    open();
  } else if (renews(changes, Renewal::header_lines)) {
    current_->set_header_lines(header_lines(now.headers));
  }
  if (renews(changes, Renewal::signer)) make_signer();
  health_.configure(settings_.worker_count, now.adaptive, replaced);
  using enum EndpointHealth::State;
  const bool not_to_be_held =
      health_.state() == unreachable && now.endpoint_down == config::EndpointDown::fail;
  if (health_.state() != up && (replaced || not_to_be_held)) return recover();
  health_changed();
}

void PoolEndpoint::retire() {
  retired_ = true;
  health_.recover(permits_.posted());
  health_changed();
}

void PoolEndpoint::open() {
  const bool https = uri_.scheme == net::Uri::Scheme::https;
  current_ = std::make_unique<http::Endpoint>(
      context_.resolver, context_.deadlines,
      http::Endpoint::Settings{uri_, settings_.settings.connect_timeout, settings_.settings.max_response_size,
                               https ? context_.tls.client(settings_.tls) : nullptr,
                               settings_.document_root});
  current_->set_header_lines(header_lines(settings_.settings.headers));
}

void PoolEndpoint::make_signer() {
  signer_.reset();
  if (!settings_.settings.signing.keys.empty()) signer_.emplace(settings_.settings.signing.keys);
}

void PoolEndpoint::sweep_replaced() {
  std::erase_if(replaced_, [](const auto& endpoint) { return endpoint->unused(); });
}

void PoolEndpoint::attempt_ended(const EndpointHealth::Attempt& attempt) {
  const bool hold = settings_.settings.endpoint_down == config::EndpointDown::hold;
  const bool draws = attempt.news != EndpointNews::answered;
  const auto was_down_since = health_.since();
  const bool changed =
      health_.attempt_ended(attempt, permits_.posted(), hold, Clock::now(), draws ? base::random_share() : 0);
  health_changed();
  if (!changed) return;
  using enum EndpointHealth::State;
  if (health_.state() == up) return log_recovery(was_down_since);
  const char* state = health_.state() == unreachable ? " cannot be reached" : "";
  const char* until = health_.state() == unreachable ? "it can be"
                      : health_.state() == absent    ? "a job is answered"
                                                     : "then";
  kMainLog.warn("pool {}: endpoint {}{}: {}; its jobs are held and no more are taken until {}",
                text::printable(pool_, 128), uri_.display, state, health_.why(), until);
}

void PoolEndpoint::wait_is_over() {
  if (health_.state() == EndpointHealth::State::paused) return recover();
  if (health_.is_probed_by_jobs()) {
    health_.next_turn(permits_.posted(), permits_.held(), Clock::now(), base::random_share());
    return health_changed();
  }
  health_.probe_begins();
  current_->probe([this, probed = current_.get()](const auto& result) {
    // Answered too late: a reload has ended the outage.
    if (health_.state() != EndpointHealth::State::unreachable || probed != current_.get()) return;
    if (result) return recover();
    health_.probe_failed(result.error().message, Clock::now(), base::random_share());
    health_changed();
  });
}

void PoolEndpoint::log_recovery(Clock::time_point down_since) const {
  kMainLog.info("pool {}: endpoint {}: jobs go on after {:.1f} s; {} are held", text::printable(pool_, 128),
                uri_.display, seconds(Clock::now() - down_since), permits_.held());
}

void PoolEndpoint::recover() {
  log_recovery(health_.since());
  health_.recover(permits_.posted());
  health_changed();
}

// Whatever depends on the health follows it.
void PoolEndpoint::health_changed() {
  if (admission_.set_limit(permits_, health_.limit(), health_.wants_new_job())) owner_.limit_changed();
  if (health_.is_full() != said_full_) say_whether_full();
  if (kind_ == Kind::of_pool && std::exchange(shown_limit_, health_.shown_limit()) != shown_limit_) {
    metrics_.set_limit(shown_limit_);
  }
  if (std::exchange(counted_down_, !health_.reached()) != counted_down_) {
    metrics_.endpoints_down_changed(counted_down_ ? +1 : -1);
  }
  if (const auto at = health_.wake_at()) {
    context_.deadlines.set(wait_, *at);
  } else {
    wait_.clear();
  }
}

void PoolEndpoint::say_whether_full() {
  said_full_ = health_.is_full();
  if (said_full_) {
    kMainLog.warn(
        "pool {}: endpoint {} is full: it takes no more than {} connections at once; further jobs wait. "
        "Raise "
        "its children (pm.max_children of php-fpm) or its listen backlog, or lower worker_count ({})",
        text::printable(pool_, 128), uri_.display, health_.shown_limit(), settings_.worker_count);
  } else {
    kMainLog.info("pool {}: endpoint {} is no longer full", text::printable(pool_, 128), uri_.display);
  }
}

EndpointStatus PoolEndpoint::status() const {
  const auto seen = current_->health();
  EndpointStatus status;
  status.connections = seen.connections;
  status.idle_connections = seen.idle_connections;
  status.held = permits_.held();
  status.limit = health_.shown_limit();
  status.full = health_.is_full();
  using enum EndpointStatus::State;
  if (health_.state() != EndpointHealth::State::up) {
    status.state = health_.state() == EndpointHealth::State::paused ? paused : down;
    status.since = health_.since();
    status.why = health_.why();
    return status;
  }
  // Jobs that are not held tell how it is; a probe has the last word on those that are.
  const bool failing = seen.down && settings_.settings.endpoint_down == config::EndpointDown::fail;
  status.state = failing ? down : seen.tried ? up : untried;
  status.since = seen.since;
  if (failing) status.why = seen.why;
  return status;
}

}  // namespace driveshaft::dispatch
