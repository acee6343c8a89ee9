// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/diff.h"
#include "dispatch/admission.h"
#include "dispatch/backend.h"
#include "dispatch/backend_group.h"
#include "dispatch/context.h"
#include "dispatch/limit_owner.h"
#include "dispatch/signer.h"
#include "dispatch/status.h"
#include "metrics/metrics.h"

namespace driveshaft::dispatch {

// A pool's endpoint, or that of some of its functions: its backends, and what they have in common. The pool
// owns it; the loop's thread drives it.
class PoolEndpoint final : private BackendOwner {
 public:
  enum class Kind { of_pool, of_functions };

  // `settings` are the pool's; they outlive the endpoint and may change, which configure() is then told of.
  PoolEndpoint(Context& context, LimitOwner& owner, Admission& admission, metrics::PoolMetrics& metrics,
               Kind kind, const config::PoolConfig& settings, config::EndpointConfig config);
  PoolEndpoint(const PoolEndpoint&) = delete;
  ~PoolEndpoint();

  // The pool's settings have these changes. A new backend starts with a clean record; one that is gone
  // finishes what it runs.
  // `config`: what job_processing_uri says now.
  void configure(const config::Changes& changes, const config::EndpointConfig& config);
  // No function has it any more. It finishes what it runs, and may be let go when it is unused().
  void retire();
  bool retired() const { return retired_; }
  bool unused() const;
  // Lets go of backends that have nothing to do any more.
  void sweep() {
    if (has_retired_) sweep_retired();
  }

  // Whether a job that was sent after `time` has succeeded.
  bool has_succeeded_since(BackendHealth::Clock::time_point time) const;
  // Whether it has answered a job, since it has been this endpoint.
  bool has_answered() const { return has_succeeded_since({}); }
  bool gives_empty_answers() const;
  // Whether a job that meets this backend can go to another one.
  bool has_another_that_works(const Backend& backend) const { return others_of(backend).working > 0; }
  // A function is no longer served.
  void forget(const void* function);

  Admission::EndpointCounters& permits() { return permits_; }
  const config::EndpointConfig& config() const { return config_; }
  // As it may be shown.
  const std::string& name() const { return name_; }
  // Null: requests are not signed.
  Signer* signer() { return signer_ ? &*signer_ : nullptr; }
  // Its backends that only finish.
  std::vector<BackendStatus> draining() const;
  // `others` drain, and are shown with its own.
  EndpointStatus status(std::vector<BackendStatus> others = {}) const;

 private:
  // BackendOwner
  void backend_changed() override;
  OtherBackends others_of(const Backend& backend) const override;
  void cannot_be_reached(const Backend& backend) override;
  int held() const override { return permits_.held(); }

  void set_groups(const config::Changes& changes);
  void sweep_retired();
  void make_signer();
  void tell_metrics();
  void take_back_failing_ones();
  void hold_no_longer();
  void sort_groups();
  std::vector<config::BackendConfig>::const_iterator config_of(const BackendGroup& group) const;
  template <class Do>
  void for_each_backend(Do act) const;
  template <class Is>
  bool has_backend(Is is) const;
  std::optional<metrics::EndpointState> counted_state() const;

  // Constant after construction.
  Context& context_;
  LimitOwner& owner_;
  Admission& admission_;
  metrics::PoolMetrics& metrics_;
  const Kind kind_;
  const config::PoolConfig& settings_;

  // Loop state.
  config::EndpointConfig config_;
  std::string name_;
  std::optional<Signer> signer_;  // when asked for
  Admission::EndpointCounters permits_;
  std::vector<std::shared_ptr<BackendGroup>> groups_;  // those that only finish among them
  bool in_change_ = false;
  bool has_retired_ = false;  // backends that only finish
  // In the metrics.
  int said_limit_ = -1;
  std::optional<metrics::EndpointState> said_state_;

  bool retired_ = false;
};

}  // namespace driveshaft::dispatch
