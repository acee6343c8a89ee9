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

// Whether the jobs file and the operators want jobs to be taken.
enum class Wanted {
  jobs,        // by one pool at least
  no_slots,    // nothing, as no pool has slots
  all_paused,  // nothing, as each pool that has slots is paused
};

// Makes, changes and drains the pools as the jobs file says. All calls are made on the loop's thread, except
// draining(), connected_links() and wanted().
class Supervisor final : private Pool::Owner {
 public:
  explicit Supervisor(Context& context) : context_(context) {}

  // Puts a configuration in force: the first, and each later one, without touching a job that runs.
  void apply(const config::Config& config);

  // Takes no more jobs; calls `done` as soon as none runs and every server has read its results. Jobs that
  // outlive `window` fail. Called again, it only shortens the window.
  void drain(std::chrono::milliseconds window, std::function<void()> done);
  bool draining() const { return draining_; }  // any thread
  // Of the jobs file in force.
  bool has_pool(const std::string& name) const { return pools_.contains(name); }

  // Of the pool of that name in the jobs file, or of a function of it. A pause outlives reloads, and pools
  // that are removed and come back. The error says what there is no such thing.
  base::Result<void> pause(const std::string& pool, const std::string& function, Pause pause);
  base::Result<void> resume(const std::string& pool, const std::string& function);
  // All pauses, by pool; those of pools that the jobs file does not have, too.
  using AllPauses = std::map<std::string, Pauses, std::less<>>;
  const AllPauses& pauses() const { return pauses_; }
  // The pauses of a process that has handed over. Before the first apply().
  void restore(AllPauses pauses);
  // Ends those running jobs; see Job::cancel(). How many.
  int cancel_jobs(const std::function<bool(const Job&)>& is, std::string_view why, bool requeue);

  int running_jobs() const;
  // Of the pools that take jobs.
  int slots() const;
  // Every pool, those that only finish what they run after the others. Its cost is bounded, whatever runs.
  std::vector<PoolStatus> status(Detail detail) const;
  // Connections to gearmand that are up. Any thread.
  int connected_links() const { return connected_links_.load(std::memory_order_relaxed); }
  // Any thread.
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
  std::map<std::string, std::shared_ptr<Pool>> pools_;  // of the jobs file in force, by name
  AllPauses pauses_;                                    // none that is empty
  std::vector<std::shared_ptr<Pool>> leaving_;          // removed, or all of them in a drain
  std::atomic<int> connected_links_{0};
  std::atomic<Wanted> wanted_{Wanted::jobs};
  std::atomic<bool> draining_{false};
  bool window_over_ = false;
  base::Deadline::Clock::time_point window_ends_{};
  std::function<void()> drained_;
  Timer window_{*this, &Supervisor::window_is_over};
  Timer closing_{*this, &Supervisor::closing_is_over};
  Timer pauses_end_{*this, &Supervisor::end_pauses};
};

}  // namespace driveshaft::dispatch
