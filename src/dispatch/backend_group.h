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
// and at once when a backend cannot be reached. A new address is a new backend. If an address is no longer
// among the answers, its backend takes no more jobs and finishes those that it has. While look-ups fail, the
// backends stay. The endpoint owns the group. On the loop's thread.
class BackendGroup : public std::enable_shared_from_this<BackendGroup> {
 public:
  // `settings` as for Backend. start() follows.
  BackendGroup(Context& context, BackendOwner& owner, Admission& admission,
               Admission::EndpointCounters& endpoint, const config::PoolConfig& settings,
               config::BackendConfig config, std::string name);
  BackendGroup(const BackendGroup&) = delete;
  void start();

  // The pool's settings have changed in this way; `config` has the same URI.
  void configure(const config::Changes& changes, config::BackendConfig config, std::string name);
  void retire();
  bool retired() const { return retired_; }
  bool unused() const { return backends_.empty(); }
  // Destroys retired backends that have no jobs any more.
  void sweep();

  const net::Uri& uri() const { return config_.uri; }
  using Backends = std::vector<std::unique_ptr<Backend>>;
  const Backends& backends() const { return backends_; }  // also retired ones

  // A backend of the group cannot be reached: looks the name up at once, but at most once a second.
  void look_up_soon();

 private:
  using Timer = base::MemberDeadline<BackendGroup>;
  using Clock = Timer::Clock;

  void look_up();
  void on_answer(const net::Resolver::Answer& answer);
  void set_addresses(const std::vector<BackendAddresses>& expected);
  void log_whether_found(const net::Resolver::Answer& answer);
  void look_up_later();
  void avoid_unreachable_family();
  void add(BackendAddresses addresses);

  Context& context_;
  BackendOwner& owner_;
  Admission& admission_;
  Admission::EndpointCounters& endpoint_;
  const config::PoolConfig& settings_;

  config::BackendConfig config_;
  std::string name_;  // of each backend, before its address
  Backends backends_;
  const bool has_name_;  // the URI has a name, and not an address or a path
  bool looking_up_ = false;
  std::optional<bool> is_found_;  // whether the last look-up found the name; nothing before the first success
  bool too_many_logged_ = false;  // a warning about too many addresses
  Clock::time_point looked_up_at_{};
  std::optional<Family> avoided_;
  bool retired_ = false;
  Timer refresh_{*this, &BackendGroup::look_up};
};

}  // namespace driveshaft::dispatch
