// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/deadlines.h"
#include "config/config.h"
#include "dispatch/context.h"
#include "dispatch/pool.h"
#include "dispatch/status.h"

namespace driveshaft::dispatch {

// Whether jobs are to be taken, as the jobs file and the operators say.
enum class Wanted {
  jobs,        // at least one pool takes jobs
  no_slots,    // no job is to be taken: no pool has slots
  all_paused,  // no job is to be taken: each pool that has slots is paused
};

// Makes, changes and drains pools as the jobs file says. The loop's thread makes all calls, except
// draining(), connected_links() and wanted(), which any thread may call. The context outlives it.
class Supervisor final : private Pool::Owner {
 public:
  explicit Supervisor(Context& context) : context_(context) {}

  // Puts a configuration in force, the first one or a later one. Running jobs are not touched.
  void apply(const config::Config& config);

  // Takes no more jobs. Calls `done` when no job runs and all servers have read their results. Jobs that
  // still run after `window` are failed or requeued, as on_shutdown says. Another call can only shorten the
  // window, and its `done` is not called.
  void drain(std::chrono::milliseconds window, std::function<void()> done);
  // Ends the window of drain() now, because a signal says so.
  void end_window();
  // How many jobs still ran at the end of the window, and were ended.
  int ended_jobs() const { return ended_jobs_; }
  bool draining() const { return draining_; }  // may be called in any thread
  // Whether the jobs file in force has the pool.
  bool has_pool(const std::string& name) const { return pools_.contains(name); }

  // Pauses or resumes a pool of the jobs file, or a function of it. A pause stays in force after a reload,
  // and also for a pool that is removed and comes back. The error says which pool or function does not exist,
  // or why it is not resumed.
  base::Result<void> pause(const std::string& pool, const std::string& function, Pause pause);
  base::Result<void> resume(const std::string& pool, const std::string& function);
  // All pauses, by pool. Pools that the jobs file does not have are included.
  using AllPauses = std::map<std::string, Pauses, std::less<>>;
  const AllPauses& pauses() const { return pauses_; }
  // Sets the pauses of a process that has handed over. Call it before the first apply().
  void restore(AllPauses pauses);
  // Ends the running jobs for which `is` returns true; see Job::cancel(). Returns how many.
  int cancel_jobs(const std::function<bool(const Job&)>& is, std::string_view why, bool requeue);

  int running_jobs() const;
  // Slots of all pools that take jobs.
  int slots() const;
  // The status of all pools. Pools that only finish their jobs come last. Its cost is bounded, however many
  // jobs run.
  std::vector<PoolStatus> status(Detail detail) const;
  // The number of connections to gearmand that are up. Any thread.
  int connected_links() const { return connected_links_.load(std::memory_order_relaxed); }
  // Whether jobs are to be taken. Any thread.
  Wanted wanted() const { return wanted_.load(std::memory_order_relaxed); }

 private:
  using Timer = base::MemberDeadline<Supervisor>;

  void links_connected(int change) override;
  void pool_at_rest(Pool& pool) override;
  void pool_drained(Pool& pool) override;

  void retire(std::shared_ptr<Pool> pool);
  base::Result<Pool*> find(const std::string& pool, const std::string& function) const;
  void pauses_changed(const std::string& pool);
  void update_wanted();
  void await_end_of_pauses();
  void end_pauses();
  void window_is_over();
  void closing_is_over();
  void abort_jobs();
  void finish_if_drained();

  Context& context_;
  std::map<std::string, std::shared_ptr<Pool>> pools_;  // pools of the jobs file in force, by name
  AllPauses pauses_;                                    // has no empty entries
  std::vector<std::shared_ptr<Pool>> leaving_;          // pools that were removed; in a drain, all pools
  std::atomic<int> connected_links_{0};
  std::atomic<Wanted> wanted_{Wanted::jobs};
  std::atomic<bool> draining_{false};
  bool window_over_ = false;
  bool told_to_end_ = false;  // by end_window()
  int ended_jobs_ = 0;
  base::Deadline::Clock::time_point window_ends_{};
  std::function<void()> drained_;
  Timer window_{*this, &Supervisor::window_is_over};
  Timer closing_{*this, &Supervisor::closing_is_over};
  Timer pauses_end_{*this, &Supervisor::end_pauses};
};

}  // namespace driveshaft::dispatch
