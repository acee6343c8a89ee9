// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadlines.h"
#include "config/config.h"
#include "config/diff.h"
#include "dispatch/admission.h"
#include "dispatch/context.h"
#include "dispatch/endpoint_health.h"
#include "dispatch/limit_owner.h"
#include "dispatch/signer.h"
#include "dispatch/status.h"
#include "http/endpoint.h"
#include "metrics/metrics.h"

namespace driveshaft::dispatch {

// A pool's endpoint, or that of some of its functions: its connections, its settings, and what EndpointHealth
// decides: it probes, keeps the time, logs, and tells admission the limit. The pool owns it; the loop's
// thread drives it.
class PoolEndpoint {
 public:
  enum class Kind { of_pool, of_functions };

  // `settings` are the pool's; they outlive the endpoint and may change, which configure() is then told of.
  PoolEndpoint(Context& context, LimitOwner& owner, Admission& admission, metrics::PoolMetrics& metrics,
               Kind kind, const config::PoolConfig& settings, net::Uri uri);
  PoolEndpoint(const PoolEndpoint&) = delete;
  ~PoolEndpoint();

  // The pool's settings have these changes. Another endpoint starts with a clean record; what the one before
  // runs, it finishes.
  void configure(const config::Changes& changes);
  // No function has it any more. It finishes what it runs, and may be let go when it is unused().
  void retire();
  bool retired() const { return retired_; }
  bool unused() const { return permits_.unused() && current_->unused(); }
  // Lets go of former connections that have nothing to do any more.
  void sweep() {
    if (!replaced_.empty()) sweep_replaced();
  }

  // An attempt at a job has ended; its permit has not been given back yet.
  void attempt_ended(const EndpointHealth::Attempt& attempt);
  // A job has been given a permit, and is sent.
  void job_is_sent() { health_.job_is_sent(); }
  // Whether a job that was sent after `time` has succeeded.
  bool has_succeeded_since(EndpointHealth::Clock::time_point time) const {
    return health_.has_succeeded_since(time);
  }
  // Whether it has answered a job, since it has been this endpoint.
  bool has_answered() const { return health_.has_succeeded_since({}); }
  // A function is no longer served.
  void forget(const void* function) { health_.forget(function); }

  Admission::EndpointCounters& permits() { return permits_; }
  // Where requests go from now on. Another one after a reload has replaced it.
  http::Endpoint& current() { return *current_; }
  const net::Uri& uri() const { return uri_; }
  // Null: requests are not signed.
  Signer* signer() { return signer_ ? &*signer_ : nullptr; }
  EndpointStatus status() const;

 private:
  using Timer = base::MemberDeadline<PoolEndpoint>;

  void open();
  void sweep_replaced();
  void make_signer();
  void wait_is_over();
  void recover();
  void log_recovery(EndpointHealth::Clock::time_point down_since) const;
  void health_changed();
  void say_whether_full();

  // Constant after construction.
  Context& context_;
  LimitOwner& owner_;
  Admission& admission_;
  metrics::PoolMetrics& metrics_;
  const Kind kind_;
  const std::string pool_;
  const config::PoolConfig& settings_;

  // Loop state.
  net::Uri uri_;
  std::unique_ptr<http::Endpoint> current_;
  std::vector<std::unique_ptr<http::Endpoint>> replaced_;  // until their last job is done
  std::optional<Signer> signer_;                           // when asked for
  EndpointHealth health_;
  Admission::EndpointCounters permits_;
  // In the metrics.
  int shown_limit_ = -1;
  bool counted_down_ = false;
  bool said_full_ = false;  // in the log

  bool retired_ = false;
  Timer wait_{*this, &PoolEndpoint::wait_is_over};
};

}  // namespace driveshaft::dispatch
