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

// The endpoint of a pool, or of some of its functions: its backends, and what these have in common. The pool
// owns it, and the loop's thread drives it.
class PoolEndpoint final : private BackendOwner {
 public:
  enum class Kind { of_pool, of_functions };

  // `settings` are the pool's. They may change; then configure() is called. All that is passed by reference
  // outlives this object.
  PoolEndpoint(Context& context, LimitOwner& owner, Admission& admission, metrics::PoolMetrics& metrics,
               Kind kind, const config::PoolConfig& settings, config::EndpointConfig config);
  PoolEndpoint(const PoolEndpoint&) = delete;
  ~PoolEndpoint();

  // The pool's settings have changed by `changes`, and `config` is the endpoint's configuration now. A new
  // backend starts without a record of failures. A backend that `config` no longer has finishes its jobs.
  void configure(const config::Changes& changes, const config::EndpointConfig& config);
  // No function has this endpoint any more. It finishes its jobs, and may be destroyed when it is unused().
  void retire();
  bool retired() const { return retired_; }
  bool unused() const;
  // Destroys backends that are retired and unused.
  void sweep() {
    if (has_retired_) sweep_retired();
  }

  // Whether a job that was sent after `time` has succeeded.
  bool has_succeeded_since(BackendHealth::Clock::time_point time) const;
  // Whether this endpoint has answered a job since the object was made.
  bool has_answered() const { return has_succeeded_since({}); }
  bool gives_empty_answers() const;
  // Whether a job that cannot run at this backend can go to another one that works.
  bool has_another_that_works(const Backend& backend) const { return others_of(backend).working > 0; }
  // The function is no longer served: its record is forgotten.
  void forget(const void* function);

  Admission::EndpointCounters& permits() { return permits_; }
  const config::EndpointConfig& config() const { return config_; }
  // The endpoint's name as it may be shown, without a password.
  const std::string& name() const { return name_; }
  // Null: requests are not signed.
  Signer* signer() { return signer_ ? &*signer_ : nullptr; }
  // The backends that only finish their jobs.
  std::vector<BackendStatus> draining() const;
  // `others` are backends of other endpoints that drain; they are shown with this endpoint's.
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
  std::optional<Signer> signer_;  // nothing: requests are not signed
  Admission::EndpointCounters permits_;
  std::vector<std::shared_ptr<BackendGroup>> groups_;  // groups that only finish their jobs included
  bool in_change_ = false;
  bool has_retired_ = false;  // some backends only finish their jobs
  // What the metrics were told last.
  int said_limit_ = -1;
  std::optional<metrics::EndpointState> said_state_;

  bool retired_ = false;
};

}  // namespace driveshaft::dispatch
