// SPDX-License-Identifier: MIT
#include "dispatch/upstream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/log.h"
#include "base/seconds.h"
#include "dispatch/request_headers.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using base::kMainLog;
using base::seconds;
using Clock = base::Deadline::Clock;

// Probes come when it has been down for a fifth longer than at the last one, within these bounds: what was
// away for five seconds is found again within one.
constexpr std::chrono::milliseconds kFirstProbe = 100ms;
constexpr std::chrono::milliseconds kLastProbe = 2s;
constexpr int kProbeShare = 5;
// The least pause: an endpoint that asks for none at all would be asked again without end.
constexpr std::chrono::milliseconds kLeastPause = 100ms;

}  // namespace

Upstream::Upstream(Context& context, Owner& owner, metrics::PoolMetrics& metrics, Places& places, Kind kind,
                   const config::Pool& settings)
    : context_(context),
      owner_(owner),
      metrics_(metrics),
      places_(places),
      kind_(kind),
      pool_(settings.name),
      settings_(settings),
      window_(kNoLimit) {
  open_endpoint();
  make_signer();
  if (settings_.settings.adaptive) adaptive_.emplace(settings_.worker_count);
  limit_changed();
}

Upstream::~Upstream() {
  metrics_.held_changed(-held());
  set_reached(true);
  context_.outages.clear(this);
}

void Upstream::configure(const config::Pool& settings) {
  const auto before = std::exchange(settings_, settings);
  const auto& now = settings_.settings;
  const bool another = before.uri != settings_.uri || before.tls != settings_.tls ||
                       before.document_root != settings_.document_root ||
                       before.settings.connect_timeout != now.connect_timeout ||
                       before.settings.max_response_size != now.max_response_size;
  if (another) {
    old_endpoints_.push_back(std::move(endpoint_));
    open_endpoint();
  } else if (before.settings.headers != now.headers) {
    endpoint_->set_header_lines(header_lines(now.headers));
  }
  if (before.settings.signing != now.signing) make_signer();
  if (!now.adaptive) {
    adaptive_.reset();
  } else if (another || !adaptive_) {
    adaptive_.emplace(settings_.worker_count);
  } else {
    adaptive_->set_ceiling(settings_.worker_count);
  }
  limit_changed();
  const bool not_to_be_held = state_ == State::down && now.endpoint_down == config::EndpointDown::fail;
  if (state_ != State::up && (another || not_to_be_held)) recover();
}

void Upstream::set_functions(std::string functions) {
  if (functions == functions_) return;
  functions_ = std::move(functions);
  if (state_ != State::up) publish();
}

void Upstream::hand_over() {
  for (auto held = held_.begin(); held != held_.end();) {
    Job& job = *held++;
    if (job.function().upstream == this) continue;
    withdraw(job);
    job.submit();
  }
}

void Upstream::retire() {
  retired_ = true;
  state_ = State::up;
  wait_.clear();
  set_reached(true);
  context_.outages.clear(this);
}

void Upstream::open_endpoint() {
  const bool https = settings_.uri.scheme == base::Uri::Scheme::https;
  endpoint_ = std::make_unique<http::Endpoint>(
      context_.resolver, context_.deadlines,
      http::Endpoint::Settings{
          settings_.uri, settings_.settings.connect_timeout, settings_.settings.max_response_size,
          https ? context_.tls.client(settings_.tls) : nullptr, settings_.document_root});
  endpoint_->set_header_lines(header_lines(settings_.settings.headers));
}

void Upstream::make_signer() {
  signer_.reset();
  if (!settings_.settings.signing.keys.empty()) signer_.emplace(settings_.settings.signing.keys);
}

void Upstream::sweep() {
  std::erase_if(old_endpoints_, [](const auto& endpoint) { return endpoint->unused(); });
}

int Upstream::limit() const {
  if (state_ != State::up) return 0;
  return adaptive_ ? std::min(window_, adaptive_->limit()) : window_;
}

bool Upstream::has_place() const { return at_endpoint_ < limit() && places_.taken < places_.most; }

int Upstream::room() const {
  const int most = limit();
  return most == kNoLimit ? kNoLimit : std::max(most - at_endpoint_ - held() - reserved_, 0);
}

int Upstream::stuck() const {
  if (held_.empty()) return 0;
  return std::max(held() - std::max(limit() - at_endpoint_, 0), 0);
}

void Upstream::limit_changed() {
  if (kind_ == Kind::of_pool) metrics_.set_limit(adaptive_ ? adaptive_->limit() : settings_.worker_count);
}

void Upstream::submit(Job& job) {
  if (!has_place() || !job.function().has_place()) return hold(job);
  send(job);
}

void Upstream::send(Job& job) {
  ++at_endpoint_;
  ++places_.taken;
  ++job.function().at_endpoint;
  job.post(*endpoint_);
}

void Upstream::gone(Function& function) {
  --at_endpoint_;
  --places_.taken;
  --function.at_endpoint;
}

void Upstream::hold(Job& job) {
  if (draining_) return job.give_back();
  held_.push_back(job);
  metrics_.held_changed(+1);
  job.held();
}

void Upstream::withdraw(Job& job) {
  held_.erase(held_.iterator_to(job));
  metrics_.held_changed(-1);
}

void Upstream::release() {
  while (!held_.empty() && has_place()) {
    Job* job = next_held();
    if (!job) return;
    withdraw(*job);
    if (job->wanted()) {
      send(*job);
    } else {
      job->drop();
    }
  }
}

// The one held longest that may go, or that nobody waits for.
Job* Upstream::next_held() {
  const auto next = std::find_if(held_.begin(), held_.end(),
                                 [](Job& job) { return job.function().has_place() || !job.wanted(); });
  return next == held_.end() ? nullptr : &*next;
}

void Upstream::drop_unwanted() {
  for (auto job = held_.begin(); job != held_.end();) {
    Job& one = *job++;
    if (one.wanted()) continue;
    withdraw(one);
    one.drop();
  }
}

EndpointStatus Upstream::status() const {
  const auto health = endpoint_->health();
  EndpointStatus status;
  status.connections = health.connections;
  status.idle_connections = health.idle_connections;
  status.held = held();
  status.limit = adaptive_ ? adaptive_->limit() : settings_.worker_count;
  using enum EndpointStatus::State;
  if (state_ != State::up) {
    status.state = state_ == State::down ? down : paused;
    status.since = since_;
    status.why = why_;
    return status;
  }
  // Jobs that are not held tell how it is; a probe has the last word on those that are.
  const bool failing = health.down && settings_.settings.endpoint_down == config::EndpointDown::fail;
  status.state = failing ? down : health.tried ? up : untried;
  status.since = health.since;
  if (failing) status.why = health.why;
  return status;
}

void Upstream::left(const Attempt& attempt) {
  set_reached(attempt.reached);
  if (adaptive_) {
    adaptive_->on_result(&attempt.function, attempt.took, attempt.overloaded, at_endpoint_, Clock::now());
    limit_changed();
  }
  if (window_ != kNoLimit && state_ == State::up && attempt.answered && ++window_ >= settings_.worker_count) {
    window_ = kNoLimit;
  }
  left(attempt.function);
}

void Upstream::left(Function& function) {
  gone(function);
  if (limit() == kNoLimit && held_.empty()) return;
  release();
  owner_.room_changed();
}

void Upstream::not_sent(Function& function) {
  gone(function);
  if (limit() != kNoLimit) owner_.room_changed();
}

void Upstream::set_reached(bool reached) {
  if (std::exchange(reached_, reached) != reached) metrics_.endpoints_down_changed(reached ? -1 : +1);
}

void Upstream::forget(const Function& function) {
  if (adaptive_) adaptive_->forget(&function);
}

void Upstream::left_unreachable(Job& job, const http::Endpoint& from, const std::string& why) {
  gone(job.function());
  if (&from != endpoint_.get() || job.function().upstream != this) return job.submit();
  hold(job);
  if (state_ == State::down) return;
  state_ = State::down;
  since_ = Clock::now();
  why_ = why;
  set_reached(false);
  publish();
  kMainLog.warn(
      "pool {}: endpoint {} cannot be reached: {}; its jobs are held and no more are taken until it can be",
      base::printable(pool_, 128), settings_.uri.display, why_);
  wait_for_probe();
  owner_.room_changed();
}

void Upstream::left_to_wait(Job& job, const http::Endpoint& from, std::chrono::milliseconds time,
                            unsigned status) {
  gone(job.function());
  if (&from != endpoint_.get() || job.function().upstream != this) return job.submit();
  set_reached(true);
  hold(job);
  if (state_ == State::down) return;
  const auto now = Clock::now();
  time = std::max(time, kLeastPause);
  paused_until_ = std::max(paused_until_, now + time);
  context_.deadlines.set(wait_, paused_until_);
  if (std::exchange(state_, State::paused) == State::paused) return;
  since_ = now;
  why_ = fmt::format("it answered HTTP status {} and asks to wait {:.0f} s", status, seconds(time));
  publish();
  kMainLog.warn("pool {}: endpoint {}: {}; its jobs are held and no more are taken until then",
                base::printable(pool_, 128), settings_.uri.display, why_);
  owner_.room_changed();
}

void Upstream::wait_is_over() {
  if (state_ == State::paused) return recover();
  endpoint_->probe([this, probed = endpoint_.get()](const auto& result) {
    // Answered too late: a reload has ended the outage.
    if (state_ != State::down || probed != endpoint_.get()) return;
    if (result) return recover();
    why_ = result.error().message;
    publish();
    wait_for_probe();
  });
}

void Upstream::wait_for_probe() {
  const auto down_for = std::chrono::floor<std::chrono::milliseconds>(Clock::now() - since_);
  const auto wait = std::clamp(down_for / kProbeShare, kFirstProbe, kLastProbe);
  context_.deadlines.set(wait_, base::jittered(wait / 2, wait));
}

void Upstream::recover() {
  kMainLog.info("pool {}: endpoint {}: jobs go on after {:.1f} s; {} are held", base::printable(pool_, 128),
                settings_.uri.display, seconds(Clock::now() - since_), held());
  state_ = State::up;
  window_ = at_endpoint_ + 1;  // beside those that run on, on connections of before
  wait_.clear();
  set_reached(true);
  context_.outages.clear(this);
  release();
  owner_.room_changed();
}

void Upstream::publish() {
  context_.outages.set(
      this, {pool_, functions_, fmt::format("endpoint {}: {}", settings_.uri.display, why_), since_});
}

void Upstream::drain() {
  draining_ = true;
  while (!held_.empty()) {
    Job& job = held_.front();
    withdraw(job);
    job.give_back();
  }
}

}  // namespace driveshaft::dispatch
