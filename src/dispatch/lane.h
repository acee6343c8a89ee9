// SPDX-License-Identifier: MIT
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/deadlines.h"
#include "config/config.h"
#include "dispatch/admission.h"
#include "dispatch/breaker.h"
#include "dispatch/context.h"
#include "dispatch/limit_owner.h"
#include "dispatch/status.h"
#include "gearman/link.h"

namespace driveshaft::dispatch {

// The functions of a pool that share their links. One alone can be grabbed for, or not, without regard to the
// others: a grab brings a job of any function of its link.
struct LanePlan {
  std::string key;  // the function that it is for alone; empty: for all the others
  std::vector<std::string> functions;
};

// The lanes of a pool: functions with a limit or an endpoint of their own have one each, with
// Fairness::function all have.
std::vector<LanePlan> plan_lanes(const config::PoolConfig& pool);

// A link of a pool, with what admission knows of it and its place among those that have something to send.
class PoolLink final
    : public gearman::Link,
      public Admission::LinkCounters,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  using gearman::Link::Link;
};

// One lane: its links to every gearmand, and the breaker of its functions. The pool owns it until it is
// empty(), and is the owner of its links; the loop's thread drives it.
class Lane {
 public:
  using Clock = Breaker::Clock;

  Lane(Context& context, gearman::LinkOwner& owner, LimitOwner& limit_owner, Admission& admission,
       metrics::PoolMetrics& metrics, std::string pool, std::string key);
  Lane(const Lane&) = delete;
  ~Lane();

  const std::string& key() const { return key_; }
  Admission::LaneCounters& permits() { return permits_; }

  // What it serves from now on. Without a function its links finish and close. Before keep_links().
  void set_functions(std::vector<std::string> functions);
  // Makes the links `connections` to each server.
  void keep_links(const std::vector<config::ServerConfig>& servers, int connections);
  void stop_links();

  void set_breaker(const config::BreakerSettings& settings);
  // An attempt at a job of it has ended. `ceiling`: the pool's slots.
  void attempt_ended(AttemptScore score, Clock::duration took, int ceiling);
  std::optional<BreakerStatus> breaker_status() const;  // while it is open

  void link_closed(gearman::Link& link);

  using Links = std::vector<std::shared_ptr<PoolLink>>;
  const Links& links() const { return links_; }  // retiring ones among them
  // It serves nothing, and its last link is closed.
  bool empty() const { return functions_.empty() && links_.empty(); }
  bool is_retiring() const;
  bool has_unsent() const;

 private:
  void breaker_wait_is_over();
  void breaker_changed();
  std::string named() const;

  // Constant after construction.
  Context& context_;
  gearman::LinkOwner& owner_;
  Admission& admission_;
  LimitOwner& limit_owner_;
  metrics::PoolMetrics& metrics_;
  const std::string pool_;
  const std::string key_;

  // Loop state.
  std::vector<std::string> functions_;
  Links links_;
  Admission::LaneCounters permits_;
  Breaker breaker_;
  bool counted_open_ = false;  // in the metrics
  base::MemberDeadline<Lane> breaker_wait_{*this, &Lane::breaker_wait_is_over};
};

}  // namespace driveshaft::dispatch
