// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/deadlines.h"
#include "config/config.h"
#include "config/diff.h"
#include "dispatch/admission.h"
#include "dispatch/backend_addresses.h"
#include "dispatch/backend_health.h"
#include "dispatch/context.h"
#include "dispatch/status.h"
#include "http/endpoint.h"
#include "metrics/tally.h"
#include "net/descriptors.h"

namespace driveshaft::dispatch {

class Backend;

// The endpoint, as its backends see it. They call these functions.
class BackendOwner {
 public:
  // More or fewer jobs may go to a backend now, or its state has changed.
  virtual void backend_changed() = 0;
  virtual OtherBackends others_of(const Backend& backend) const = 0;
  // An attempt or a probe has shown that the backend cannot be reached.
  virtual void cannot_be_reached(const Backend& backend) = 0;
  // The number of jobs that are held for the endpoint.
  virtual int held() const = 0;

 protected:
  ~BackendOwner() = default;
};

// A backend: one of the places where an endpoint's jobs can go. It has the connections, and carries out what
// BackendHealth decides: it sends probes, sets timers, logs, and tells Admission the limit. Its group owns
// it, and the loop's thread drives it.
class Backend final : public Admission::BackendCounters {
 public:
  // `settings` are the pool's. They outlive the backend and may change; then configure() is called. `name` is
  // one of EndpointConfig::names(). Without `addresses` the name in the URI is looked up for each new
  // connection. All that is passed by reference, except `config` and `name`, outlives the backend.
  Backend(Context& context, BackendOwner& owner, Admission& admission, Admission::EndpointCounters& endpoint,
          const config::PoolConfig& settings, const config::BackendConfig& config, const std::string& name,
          BackendAddresses addresses = {});
  Backend(const Backend&) = delete;
  ~Backend();

  // The pool's settings have changed by `changes`. None of the changes renews connections: for those the
  // group makes new backends. `config` has the same URI as before.
  void configure(const config::Changes& changes, const config::BackendConfig& config,
                 const std::string& name);
  // The backend takes no more jobs and finishes those that it has. It may be destroyed when it is unused().
  void retire();
  bool retired() const { return retired_; }
  bool unused() const { return posted() == 0 && connections_.unused(); }

  // An attempt at a job has ended. The job gives its permit back after this call.
  void attempt_ended(BackendHealth::Attempt attempt);
  // A job has got a permit and is sent.
  void job_is_sent() {
    if (health_.job_is_sent()) health_changed();
  }
  // is_given_jobs(): the backend takes part when jobs are shared out. works(): it also is neither failing nor
  // away.
  bool is_given_jobs() const { return !retired_ && config_.weight > 0; }
  bool works() const { return is_given_jobs() && health_.works(); }
  bool is_failing() const { return is_given_jobs() && health_.is_failing(); }
  bool cannot_be_reached() const { return health_.state() == BackendHealth::State::unreachable; }
  double share_failed() const { return health_.share_failed(); }
  // The backend is failing, but gets jobs again, because it cannot be spared or fails no more than the
  // others.
  void take_back();
  // The backend is away, but gets jobs again: they shall fail rather than wait.
  void hold_no_longer() { recover(); }

  // What is known of the backend; see backend_health.h.
  const BackendHealth& health() const { return health_; }
  void note_empty_answer(bool again) { health_.empty_answer(again, BackendHealth::Clock::now()); }
  // The function is no longer served: its record is forgotten.
  void forget(const void* function) { health_.forget(function); }

  http::Endpoint& connections() { return connections_; }
  const net::Uri& uri() const { return config_.uri; }
  const BackendAddresses& addresses() const { return addresses_; }
  // Whether the name in the URI is looked up for each new connection.
  bool is_by_name() const { return is_by_name_; }
  // The addresses that the name was found to have, for a backend that was made without.
  void note_addresses(BackendAddresses addresses) { addresses_ = std::move(addresses); }
  // The name that people are shown: the one of the jobs file, with the address if the URI's name has several.
  const std::string& name() const { return name_; }
  // The limit of jobs at once that people are shown.
  int shown_limit() const;
  BackendStatus status() const;
  // Whether it is retired and still has jobs.
  bool is_draining() const { return retired_ && posted() > 0; }

 private:
  using Timer = base::MemberDeadline<Backend>;

  http::Endpoint::Settings connection_settings() const;
  int ceiling() const;
  void wait_is_over();
  void probed(const base::Result<void, http::Failure>& result);
  void recover();
  void log_outage() const;
  void log_recovery(BackendHealth::Clock::time_point down_since) const;
  int limit() const;
  void health_changed();
  void say_whether_full();
  std::string who() const;

  // Constant after construction.
  Context& context_;
  BackendOwner& owner_;
  Admission& admission_;
  const std::string pool_;
  const config::PoolConfig& settings_;
  const int most_connections_ = net::most_endpoint_connections();

  // Loop state.
  config::BackendConfig config_;  // its URI never changes
  BackendAddresses addresses_;
  const bool is_by_name_ = addresses_.empty();
  std::string name_;
  http::Endpoint connections_;
  BackendHealth health_;
  metrics::Tally tally_;
  bool said_full_ = false;  // whether the log has said that the backend is full
  bool retired_ = false;
  BackendHealth::Clock::time_point retired_at_{};
  Timer wait_{*this, &Backend::wait_is_over};
};

}  // namespace driveshaft::dispatch
