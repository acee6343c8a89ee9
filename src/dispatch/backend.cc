// SPDX-License-Identifier: MIT
#include "dispatch/backend.h"

#include <fmt/format.h>

#include <algorithm>
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
using Clock = BackendHealth::Clock;

std::string name_at(const std::string& name, const BackendAddresses& addresses) {
  if (addresses.empty()) return name;
  return fmt::format("{} ({})", name, addresses.front().to_string());
}

std::vector<asio::ip::tcp::endpoint> addresses_of(const BackendAddresses& addresses, std::uint16_t port) {
  std::vector<asio::ip::tcp::endpoint> endpoints;
  for (const auto& address : addresses) endpoints.emplace_back(address, port);
  return endpoints;
}

}  // namespace

Backend::Backend(Context& context, BackendOwner& owner, Admission& admission,
                 Admission::EndpointCounters& endpoint, const config::PoolConfig& settings,
                 const config::BackendConfig& config, const std::string& name, BackendAddresses addresses)
    : context_(context),
      owner_(owner),
      admission_(admission),
      pool_(settings.name),
      settings_(settings),
      config_(config),
      addresses_(std::move(addresses)),
      name_(name_at(name, addresses_)),
      connections_(context.resolver, context.deadlines, connection_settings()),
      health_(ceiling(), settings.settings.adaptive) {
  connections_.set_header_lines(header_lines(settings_.settings.headers));
  admission_.add(*this, endpoint);
  admission_.set_weight(*this, std::max(config_.weight, 1));
  admission_.set_limit(*this, limit());  // the owner makes this object, so it need not be told
}

Backend::~Backend() { admission_.remove(*this); }

http::Endpoint::Settings Backend::connection_settings() const {
  const auto& settings = settings_.settings;
  const bool https = config_.uri.scheme == net::Uri::Scheme::https;
  return {.uri = config_.uri,
          .connect_timeout = settings.endpoint_connect_timeout,
          .max_response_size = settings.max_response_size,
          .tls = https ? context_.tls.client(settings_.endpoint_tls) : nullptr,
          .document_root = settings_.fastcgi_document_root,
          .addresses = addresses_of(addresses_, config_.uri.port),
          .max_connection_age = settings.max_connection_age};
}

void Backend::configure(const config::Changes& changes, const config::BackendConfig& config,
                        const std::string& name) {
  using config::Renewal;
  config_ = config;
  name_ = is_by_name_ ? name : name_at(name, addresses_);
  const auto& now = settings_.settings;
  if (renews(changes, Renewal::header_lines)) connections_.set_header_lines(header_lines(now.headers));
  if (renews(changes, Renewal::pace)) connections_.set_max_connection_age(now.max_connection_age);
  admission_.set_weight(*this, std::max(config_.weight, 1));
  health_.configure(ceiling(), now.adaptive);
  health_changed();
}

void Backend::retire() {
  retired_ = true;
  retired_at_ = Clock::now();
  health_.recover(posted());
  connections_.close_idle();
  health_changed();
}

void Backend::attempt_ended(BackendHealth::Attempt attempt) {
  ++(attempt.score == AttemptScore::success ? tally_.outcomes.completed : tally_.outcomes.failed);
  if (attempt.score == AttemptScore::success) tally_.durations.add(attempt.took);
  const bool is_well = attempt.news == BackendNews::answered;
  bool hold = true;
  if (!is_well) {
    const auto others = owner_.others_of(*this);
    hold = others.working > 0 || settings_.settings.endpoint_down == config::EndpointDown::hold;
    if (others.can_spare_one()) attempt.others_fail = others.share_failed;
  }
  const auto was_down_since = health_.since();
  const bool changed =
      health_.attempt_ended(attempt, posted(), hold, Clock::now(), is_well ? 0 : base::random_share());
  health_changed();
  if (!is_well) owner_.backend_changed();
  if (attempt.news == BackendNews::unreachable) owner_.cannot_be_reached(*this);
  if (!changed || retired_) return;
  if (health_.state() == BackendHealth::State::up) {
    log_recovery(was_down_since);
  } else {
    log_outage();
  }
}

void Backend::wait_is_over() {
  using enum BackendHealth::State;
  const auto now = Clock::now();
  if (health_.state() == paused) return recover();
  if (health_.is_settling()) {
    health_.settled();
    return health_changed();
  }
  if (health_.is_failing()) {
    health_.try_one(posted(), now);
    return health_changed();
  }
  if (health_.is_probed_by_jobs()) {
    const bool was_down = health_.state() == absent;
    health_.next_turn(posted(), owner_.held(), now, base::random_share());
    health_changed();
    if (!was_down || health_.state() == absent) return;
    kMainLog.info("{}: no job is left that could show whether it works again; the next job shows it", who());
    return owner_.backend_changed();
  }
  health_.probe_begins();
  connections_.probe([this](const auto& result) { probed(result); });
}

void Backend::probed(const base::Result<void, http::Failure>& result) {
  if (!cannot_be_reached()) return;  // the answer is too late: a reload has ended the outage
  if (result) return recover();
  health_.probe_failed(result.error().message, Clock::now(), base::random_share());
  owner_.cannot_be_reached(*this);
  health_changed();
}

void Backend::recover() {
  log_recovery(health_.since());
  health_.recover(posted());
  health_changed();
  owner_.backend_changed();
}

void Backend::take_back() {
  if (health_.state() == BackendHealth::State::failing) log_recovery(health_.since());
  health_.take_back();
  health_changed();
}

int Backend::ceiling() const {
  const int own = config_.max_concurrency > 0 ? config_.max_concurrency : settings_.worker_count;
  return std::min(own, settings_.worker_count);
}

// The limit is never above the number of connections that can be opened.
int Backend::limit() const {
  if (!is_given_jobs()) return 0;
  int limit = health_.limit();
  if (config_.max_concurrency > 0) limit = std::min(limit, config_.max_concurrency);
  return settings_.worker_count <= most_connections_ ? limit : std::min(limit, most_connections_);
}

int Backend::shown_limit() const {
  return is_given_jobs() ? std::min(health_.shown_limit(), most_connections_) : 0;
}

// Tells the state of health to all that depends on it.
void Backend::health_changed() {
  if (admission_.set_limit(*this, limit(), health_.wants_new_job())) owner_.backend_changed();
  if (health_.is_full(Clock::now()) != said_full_) say_whether_full();
  const auto at = health_.wake_at();
  if (at && !retired_) {
    context_.deadlines.set(wait_, *at);
  } else {
    wait_.clear();
  }
}

// The subject of a log line. It is the endpoint if this is its only backend.
std::string Backend::who() const {
  const bool is_alone = owner_.others_of(*this).all == 0;
  return fmt::format("pool {}: {} {}", text::printable(pool_, 128), is_alone ? "endpoint" : "backend", name_);
}

void Backend::log_outage() const {
  using enum BackendHealth::State;
  const auto others = owner_.others_of(*this);
  const bool is_reached = health_.state() != unreachable;
  const char* state = health_.state() == failing ? " fails, and the others do not"
                      : is_reached               ? ""
                                                 : " cannot be reached";
  std::string follows;
  if (others.working > 0) {
    follows = fmt::format("jobs go to the {} other{} until it works again", others.working,
                          others.working == 1 ? "" : "s");
  } else {
    follows = fmt::format("its jobs are held and no more are taken until {}",
                          others.all > 0              ? "a backend works again"
                          : !is_reached               ? "it can be reached"
                          : health_.state() == absent ? "a job is answered"
                                                      : "then");
  }
  kMainLog.warn("{}{}: {}; {}", who(), state, health_.why(), follows);
}

void Backend::log_recovery(Clock::time_point down_since) const {
  kMainLog.info("{} works again after {:.1f} s; jobs held: {}", who(), seconds(Clock::now() - down_since),
                owner_.held());
}

void Backend::say_whether_full() {
  said_full_ = health_.is_full(Clock::now());
  const auto lack = net::last_lack_of_descriptors();
  if (said_full_ && lack && Clock::now() - *lack < std::chrono::seconds(1)) {
    kMainLog.warn(
        "{}: no file descriptor is free for more than {} connections to it; further jobs wait. Raise "
        "LimitNOFILE= of the systemd unit or `ulimit -n` of the shell, or lower worker_count ({})",
        who(), shown_limit(), settings_.worker_count);
  } else if (said_full_) {
    kMainLog.warn(
        "{} is full: it takes no more than {} connections at once; further jobs wait. Raise its children "
        "(pm.max_children of php-fpm) or its listen backlog, or lower worker_count ({})",
        who(), shown_limit(), settings_.worker_count);
  } else {
    kMainLog.info("{} is no longer full", who());
  }
}

BackendStatus Backend::status() const {
  using enum BackendStatus::State;
  const auto seen = connections_.health();
  BackendStatus status;
  status.id = id();
  status.name = name_;
  status.weight = config_.weight;
  status.running = posted();
  status.limit = shown_limit();
  status.full = health_.is_full(Clock::now());
  status.connections = seen.connections;
  status.idle_connections = seen.idle_connections;
  status.tally = tally_;
  if (retired_) {
    status.state = draining;
    status.since = retired_at_;
    status.weight = 0;
    status.full = false;
    return status;
  }
  const bool is_suspected = health_.is_failing() && health_.state() == BackendHealth::State::up;
  status.suspected = is_suspected;
  switch (is_suspected ? BackendHealth::State::failing : health_.state()) {
    case BackendHealth::State::unreachable:
    case BackendHealth::State::absent:
      status.state = down;
      break;
    case BackendHealth::State::paused:
      status.state = paused;
      break;
    case BackendHealth::State::failing:
      status.state = failing;
      break;
    case BackendHealth::State::up: {
      // If endpoint_down is "fail", jobs are sent all the time, so the last connection shows whether the
      // backend is down. If jobs are held, probes decide that.
      const bool is_down = seen.down && settings_.settings.endpoint_down == config::EndpointDown::fail;
      status.state = is_down ? down : seen.tried && !health_.is_untried() ? up : untried;
      status.since = seen.since;
      if (is_down) status.why = seen.why;
      return status;
    }
  }
  status.since = health_.since();
  status.why = health_.why();
  status.next_try = health_.wake_at();
  return status;
}

}  // namespace driveshaft::dispatch
