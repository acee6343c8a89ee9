// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadlines.h"
#include "config/config.h"
#include "config/diff.h"
#include "dispatch/backend.h"
#include "dispatch/backend_addresses.h"
#include "dispatch/context.h"
#include "net/resolver.h"

namespace driveshaft::dispatch {

// The backends of one URI: one, or one for each address of its name. The name is looked up every dns_refresh,
// and at once when a backend cannot be reached; a new address is a new backend, and the backend of one that
// is gone finishes its jobs. While no look-up succeeds, the backends stay. The endpoint owns it; the loop's
// thread drives it.
class BackendGroup : public std::enable_shared_from_this<BackendGroup> {
 public:
  // `settings` as for Backend. start() follows.
  BackendGroup(Context& context, BackendOwner& owner, Admission& admission,
               Admission::EndpointCounters& endpoint, const config::PoolConfig& settings,
               config::BackendConfig config, std::string name);
  BackendGroup(const BackendGroup&) = delete;
  void start();

  // The pool's settings have these changes; `config` has the same URI.
  void configure(const config::Changes& changes, config::BackendConfig config, std::string name);
  void retire();
  bool retired() const { return retired_; }
  bool unused() const { return backends_.empty(); }
  // Lets go of backends that have nothing to do any more.
  void sweep();

  const net::Uri& uri() const { return config_.uri; }
  using Backends = std::vector<std::unique_ptr<Backend>>;
  const Backends& backends() const { return backends_; }  // retired ones, too

  // A backend of it cannot be reached: does its name stand for others by now?
  void cannot_be_reached();

 private:
  using Timer = base::MemberDeadline<BackendGroup>;
  using Clock = Timer::Clock;

  void look_up();
  void answered(const net::Resolver::Answer& answer);
  void set_addresses(const std::vector<BackendAddresses>& wanted);
  void say_whether_found(const net::Resolver::Answer& answer);
  void look_up_later();
  void avoid_family_that_cannot_be_reached();
  void add(BackendAddresses addresses);

  Context& context_;
  BackendOwner& owner_;
  Admission& admission_;
  Admission::EndpointCounters& endpoint_;
  const config::PoolConfig& settings_;

  config::BackendConfig config_;
  std::string name_;  // of each backend, before its address
  Backends backends_;
  const bool has_name_;  // and no address, nor a path
  bool looking_up_ = false;
  std::optional<bool> is_found_;  // its name, by the last look-up; nothing until it has been found once
  bool said_too_many_ = false;    // addresses, in the log
  Clock::time_point looked_up_at_{};
  std::optional<Family> avoided_;
  bool retired_ = false;
  Timer refresh_{*this, &BackendGroup::look_up};
};

}  // namespace driveshaft::dispatch
