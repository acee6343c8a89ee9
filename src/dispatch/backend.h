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

// The endpoint, as its backends know it. Called from within them.
class BackendOwner {
 public:
  // More or fewer jobs may go there, or it fares otherwise than before.
  virtual void backend_changed() = 0;
  virtual OtherBackends others_of(const Backend& backend) const = 0;
  // An attempt or a probe has shown that it cannot be reached.
  virtual void cannot_be_reached(const Backend& backend) = 0;
  // Jobs that wait for any of them.
  virtual int held() const = 0;

 protected:
  ~BackendOwner() = default;
};

// One of the places that the jobs of an endpoint go to: its connections, and what BackendHealth decides: it
// probes, keeps the time, logs, and tells admission the limit. Its group owns it; the loop's thread drives
// it.
class Backend final : public Admission::BackendCounters {
 public:
  // `settings` are the pool's; they outlive the backend and may change, which configure() is then told of.
  // `name`: see EndpointConfig::names(). Without `addresses` its URI's name is looked up for each new
  // connection.
  Backend(Context& context, BackendOwner& owner, Admission& admission, Admission::EndpointCounters& endpoint,
          const config::PoolConfig& settings, const config::BackendConfig& config, const std::string& name,
          BackendAddresses addresses = {});
  Backend(const Backend&) = delete;
  ~Backend();

  // The pool's settings have these changes, none of which renews connections.
  void configure(const config::Changes& changes, const config::BackendConfig& config,
                 const std::string& name);
  // It takes no more jobs, finishes those that it runs, and may be let go when it is unused().
  void retire();
  bool retired() const { return retired_; }
  bool unused() const { return posted() == 0 && connections_.unused(); }

  // An attempt at a job has ended; its permit has not been given back yet.
  void attempt_ended(BackendHealth::Attempt attempt);
  // A job has been given a permit, and is sent.
  void job_is_sent() {
    if (health_.job_is_sent()) health_changed();
  }
  // Whether it takes part in the sharing out of jobs, and whether it gets any as things are.
  bool is_given_jobs() const { return !retired_ && config_.weight > 0; }
  bool works() const { return is_given_jobs() && health_.works(); }
  bool is_failing() const { return is_given_jobs() && health_.is_failing(); }
  bool cannot_be_reached() const { return health_.state() == BackendHealth::State::unreachable; }
  double share_failed() const { return health_.share_failed(); }
  // It is failing, and gets jobs again all the same: it cannot be spared.
  void take_back();
  // It is away, and gets jobs again all the same: they fail rather than wait.
  void hold_no_longer() { recover(); }

  // The jobs that it is given are held, or wait for others.
  const BackendHealth& health() const { return health_; }
  void note_empty_answer(bool again) { health_.empty_answer(again, BackendHealth::Clock::now()); }
  // A function is no longer served.
  void forget(const void* function) { health_.forget(function); }

  http::Endpoint& connections() { return connections_; }
  const net::Uri& uri() const { return config_.uri; }
  const BackendAddresses& addresses() const { return addresses_; }
  // Whether its name is looked up for each new connection.
  bool is_by_name() const { return is_by_name_; }
  // What its name has been found to stand for, if it was made without.
  void note_addresses(BackendAddresses addresses) { addresses_ = std::move(addresses); }
  // As people are told: that of the jobs file, and its address if the URI's name has several.
  const std::string& name() const { return name_; }
  // Jobs that people are told it is given at once.
  int shown_limit() const;
  BackendStatus status() const;
  // It is retired, and has jobs yet.
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
  config::BackendConfig config_;  // with the same URI, always
  BackendAddresses addresses_;
  const bool is_by_name_ = addresses_.empty();
  std::string name_;
  http::Endpoint connections_;
  BackendHealth health_;
  metrics::Tally tally_;
  bool said_full_ = false;  // in the log
  bool retired_ = false;
  BackendHealth::Clock::time_point retired_at_{};
  Timer wait_{*this, &Backend::wait_is_over};
};

}  // namespace driveshaft::dispatch
