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

// The functions of a pool that share their links, as planned. A grab brings a job of any function of its
// link, so only a function that is alone in its lane can be left out of grabbing without the others.
struct LanePlan {
  std::string key;  // name of the function that has this lane alone; empty: the lane of all other functions
  std::vector<std::string> functions;
};

// The lanes of a pool. A function with a limit or an endpoint of its own has a lane alone; with
// Fairness::function every function has.
std::vector<LanePlan> plan_lanes(const config::PoolConfig& pool);

// A link of a pool. It has its counters for Admission, and its place in the list of links that have something
// to send.
class PoolLink final
    : public gearman::Link,
      public Admission::LinkCounters,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  using gearman::Link::Link;
};

// One lane: its links to all gearmands, and the breaker of its functions. The pool owns it until it is
// empty(); the loop's thread drives it. All that is passed by reference outlives it.
class Lane {
 public:
  using Clock = Breaker::Clock;

  Lane(Context& context, gearman::LinkOwner& owner, LimitOwner& limit_owner, Admission& admission,
       metrics::PoolMetrics& metrics, std::string pool, std::string key);
  Lane(const Lane&) = delete;
  ~Lane();

  const std::string& key() const { return key_; }
  Admission::LaneCounters& permits() { return permits_; }

  // The functions that the lane serves from now on. Without functions its links finish their jobs and close.
  // Call this before keep_links().
  void set_functions(std::vector<std::string> functions);
  // Makes and retires links so that there are `connections` of them to each server.
  void keep_links(const std::vector<config::ServerConfig>& servers, int connections);
  void stop_links();

  void set_breaker(const config::BreakerSettings& settings);
  // An attempt at a job of the lane has ended. `ceiling` is the number of the pool's slots.
  void attempt_ended(AttemptScore score, Clock::duration took, int ceiling);
  std::optional<BreakerStatus> breaker_status() const;  // nothing while the breaker is not open

  void link_closed(gearman::Link& link);

  using Links = std::vector<std::shared_ptr<PoolLink>>;
  const Links& links() const { return links_; }  // links that retire included
  // The lane has no functions, and its last link is closed.
  bool empty() const { return functions_.empty() && links_.empty(); }
  bool has_retiring_links() const;
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
  bool counted_open_ = false;  // whether the metrics have counted the breaker as open
  base::MemberDeadline<Lane> breaker_wait_{*this, &Lane::breaker_wait_is_over};
};

}  // namespace driveshaft::dispatch
