// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "dispatch/admission.h"
#include "dispatch/context.h"
#include "dispatch/job.h"
#include "dispatch/lane.h"
#include "dispatch/pause.h"
#include "dispatch/pool_endpoint.h"
#include "dispatch/status.h"
#include "gearman/link.h"

namespace driveshaft::dispatch {

// One pool of the jobs file: its lanes with their links to all gearmands, its endpoints and its running jobs.
// Admission decides which link may grab and which job may be sent. The pool tells it what links, jobs and
// endpoints report, and carries out its decisions once, at the end of a turn of the loop. A reload does not
// touch a running job. The supervisor owns the pool, and the loop's thread drives it.
class Pool final : public std::enable_shared_from_this<Pool>,
                   private gearman::LinkOwner,
                   private JobOwner,
                   private LimitOwner {
 public:
  class Owner {
   public:
    // A link of the pool has got its connection (+1) or lost it (-1).
    virtual void links_connected(int change) = 0;
    // After drain(): no job runs any more, but servers have not read all results yet. May be called again.
    virtual void pool_at_rest(Pool& pool) = 0;
    // After drain(): no job runs, and no link is left. The owner may let the pool go.
    virtual void pool_drained(Pool& pool) = 0;

   protected:
    ~Owner() = default;
  };

  Pool(Context& context, Owner& owner, config::PoolConfig settings,
       std::vector<config::ServerConfig> servers);
  ~Pool();

  void start();

  // Puts the pool of a new jobs file in force. Functions, endpoints and lanes that it no longer has finish
  // their jobs.
  void reconfigure(config::PoolConfig settings, std::vector<config::ServerConfig> servers);

  // Sets the pauses in force: while paused, the pool takes no jobs, or none of some functions.
  void set_pauses(const Pauses& pauses);
  // Ends the jobs for which `is` returns true, as Job::cancel() does. Returns how many.
  int cancel_jobs(const std::function<bool(const Job&)>& is, std::string_view why, bool requeue);

  // Takes no more jobs, for good. Running jobs finish; held jobs are given back. Owner::pool_drained() is
  // called later, not from within this call.
  void drain();
  // Fails or requeues the jobs that still run, as Job::abort() does.
  void abort_jobs(std::string_view why);
  // Closes the links at once, even if a server has not read all results.
  void stop_links();

  // Whether a server that reads slowly has not taken all results yet.
  bool has_unsent() const;

  const std::string& name() const override { return settings_.name; }
  bool serves(const std::string& function) const {
    const auto known = functions_.find(function);
    return known != functions_.end() && !known->second.withdrawn;
  }
  const std::vector<std::string>& jobs_list() const { return settings_.jobs_list; }
  bool is_paused_by_file() const { return settings_.paused; }
  int running() const { return admission_.running(); }
  int slots() const { return draining_ ? 0 : settings_.worker_count; }
  // Whether the pool takes no jobs because an operator or the jobs file says so. An operator may have paused
  // the pool, or each of its functions.
  bool is_paused() const;
  PoolStatus status(Detail detail) const;

 private:
  using Timer = base::MemberDeadline<Pool>;

  // LinkOwner, for the links of all lanes
  bool job_assigned(gearman::Link& link, const gearman::Assignment& assignment,
                    std::unique_ptr<char[]> storage) override;
  void no_job(gearman::Link& link) override;
  void grabs_are_late(gearman::Link& link) override;
  void connection_lost(gearman::Link& link) override;
  void turn_needed(gearman::Link& link) override;
  void on_writable(gearman::Link& link) override;
  void input_begins() override;
  void input_ends() override;
  void link_changed(bool connected) override;
  void result_refused() override;
  void link_closed(gearman::Link& link) override;
  // JobOwner
  void attempt_ready(Job& job) override;
  void attempt_ended(Job& job, BackendHealth::Attempt attempt) override;
  void result_ready() override;
  void job_failed(FailedJob failure) override;
  void job_done(Job& job) override;
  // LimitOwner
  void limit_changed() override { turn_needed(); }

  void turn_needed();
  void take_turn();
  void end_turn();
  void post_held_jobs();
  void grab();
  void flush_links();
  void report_drain();
  void rate_allows() { turn_needed(); }
  template <class Is>
  std::vector<Job*> jobs_that(Is is);
  void sweep();
  void forget_withdrawn();
  void register_functions();
  void count_pauses();
  void retire_endpoints();
  void keep_lanes();
  void keep_links();
  Lane& lane_of(const LanePlan& plan);
  const config::EndpointConfig& backends_for(const PoolEndpoint& endpoint) const;
  PoolEndpoint& endpoint_of(const config::FunctionSettings& function);
  std::vector<std::string> functions_of(const PoolEndpoint& endpoint) const;
  template <class Do>
  void for_each_endpoint(Do act) const;
  bool takes_jobs_of(const std::string& function) const { return !pauses_.functions.contains(function); }
  bool refuse_for_memory(gearman::Link& link, const gearman::Assignment& assignment);

  // Constant after construction.
  Context& context_;
  Owner& owner_;
  const std::shared_ptr<metrics::PoolMetrics> metrics_;

  // Loop state.
  config::PoolConfig settings_;
  std::vector<config::ServerConfig> servers_;
  Pauses pauses_;
  Admission admission_;
  std::map<std::string, Function, std::less<>> functions_;
  std::unique_ptr<PoolEndpoint> endpoint_;  // the pool's own
  std::vector<std::unique_ptr<PoolEndpoint>>
      function_endpoints_;  // endpoints of functions that have another than the pool's; retired ones included
  std::vector<std::unique_ptr<Lane>> lanes_;  // lanes that only finish their jobs included
  JobList jobs_;
  JobList spare_jobs_;  // objects of ended jobs, kept so that their memory is used again
  std::deque<std::shared_ptr<const FailedJob>> failures_;  // the newest first
  int failures_in_a_row_ = 0;                              // jobs
  boost::intrusive::list<PoolLink, boost::intrusive::constant_time_size<false>> to_flush_;
  std::vector<Admission::Grant> grants_;  // of one turn; a member so that its memory is used again
  bool in_input_ = false;                 // a link handles the bytes that it has read
  bool turn_wanted_ = false;
  bool turn_posted_ = false;
  bool withdrawing_ = false;  // functions_ has functions that the jobs file no longer has
  bool draining_ = false;
  bool drained_ = false;
  Timer rate_wait_{*this, &Pool::rate_allows};
  Timer delayed_turn_{*this, &Pool::take_turn};
};

}  // namespace driveshaft::dispatch
