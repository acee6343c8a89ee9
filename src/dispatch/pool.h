// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "dispatch/context.h"
#include "dispatch/job.h"
#include "dispatch/lane.h"
#include "dispatch/status.h"
#include "dispatch/token_bucket.h"
#include "dispatch/upstream.h"
#include "gearman/link.h"

namespace driveshaft::dispatch {

// One pool of the jobs file: its slots, its lanes with their links to every gearmand, its endpoints, its
// running jobs. It shares the slots out between them, so that a job is only ever taken for a slot that is
// free, and carries out reloads without touching a job that runs. The supervisor owns it, the loop's thread
// drives it.
class Pool final : public std::enable_shared_from_this<Pool>,
                   private gearman::LinkOwner,
                   private JobOwner,
                   private Upstream::Owner {
 public:
  class Owner {
   public:
    // A link of the pool has (+1) or has lost (-1) its connection.
    virtual void links_connected(int change) = 0;
    // After drain(): no job runs any more, only servers have yet to read results. May be called again.
    virtual void pool_at_rest(Pool& pool) = 0;
    // And no link is left: the pool may be let go.
    virtual void pool_drained(Pool& pool) = 0;

   protected:
    ~Owner() = default;
  };

  Pool(Context& context, Owner& owner, config::Pool settings, std::vector<config::Server> servers);
  ~Pool();

  void start();

  // Puts a new jobs file in force. What is withdrawn finishes what it runs.
  void reconfigure(config::Pool settings, std::vector<config::Server> servers);

  // Takes no more jobs, for good; running ones finish. Owner::pool_drained() follows, not from within.
  void drain();
  // Fails what still runs.
  void abort_jobs(std::string_view why);
  // Closes the links at once, results unread by a server or not.
  void stop_links();

  // Whether results wait for a server that reads slowly.
  bool has_unsent() const;

  const std::string& name() const override { return settings_.name; }
  int running() const { return running_; }
  int slots() const { return draining_ ? 0 : settings_.worker_count; }
  PoolStatus status(Detail detail) const;

 private:
  using Timer = base::MemberDeadline<Pool>;

  // LinkOwner, of the links of all lanes
  bool job_assigned(gearman::Link& link, const gearman::Assignment& assignment,
                    std::unique_ptr<char[]> storage) override;
  void slots_released(int count) override;
  void turn_needed() override;
  void relieved(gearman::Link& link) override;
  void input_begins() override;
  void input_ends() override;
  void link_changed(bool connected) override;
  void result_refused() override;
  void link_closed(gearman::Link& link) override;
  // JobOwner
  void result_ready() override;
  void job_failed(FailedJob failure) override;
  void job_done(Job& job) override;
  // Upstream::Owner
  void room_changed() override { turn_needed(); }

  void end_turn();
  void flush_links();
  void share_out_slots();
  void share_out_scarce(int free);
  int lent_slots() const;
  void reserve(int slots) { reserved_ += slots; }
  int rate_room();
  void rate_allows() { turn_needed(); }
  void sweep();
  void forget_withdrawn();
  void register_functions();
  void keep_endpoints();
  void retire_upstreams();
  void keep_lanes();
  void keep_links();
  Upstream& upstream_of(const config::FunctionSettings& function);
  config::Pool settings_at(const base::Uri& uri) const;
  std::vector<std::string> functions_of(const Upstream& upstream) const;
  template <class Do>
  void for_each_upstream(Do act) const;
  std::unique_ptr<Job> spare_job();

  // Constant after construction.
  Context& context_;
  Owner& owner_;
  const std::shared_ptr<metrics::PoolMetrics> metrics_;

  // Loop state. free slots = worker_count - reserved_ - running_, below zero after a reload to fewer. Jobs
  // that one endpoint keeps waiting do not keep their slots from the functions of the others.
  config::Pool settings_;
  std::vector<config::Server> servers_;
  std::map<std::string, Function, std::less<>> functions_;
  Places places_;
  std::unique_ptr<Upstream> upstream_;                         // the pool's own
  std::vector<std::unique_ptr<Upstream>> function_upstreams_;  // of functions with another, retired ones too
  std::vector<std::unique_ptr<Lane>> lanes_;                   // those that only finish among them
  std::vector<Lane*> wanting_;                                 // while slots are shared out
  std::uint64_t turn_ = 0;                                     // counts slots given while they are scarce
  TokenBucket rate_;
  int reserved_ = 0;  // for grabs that are unanswered
  int running_ = 0;
  JobList jobs_;
  std::vector<std::unique_ptr<Job>> spare_jobs_;
  std::deque<std::shared_ptr<const FailedJob>> failures_;  // the newest first
  bool in_input_ = false;                                  // a link handles what it has read
  bool turn_wanted_ = false;
  bool turn_posted_ = false;
  bool withdrawing_ = false;  // functions_ holds some that the jobs file no longer has
  bool draining_ = false;
  bool drained_ = false;
  Timer rate_wait_{*this, &Pool::rate_allows};
};

}  // namespace driveshaft::dispatch
