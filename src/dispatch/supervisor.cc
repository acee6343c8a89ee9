// SPDX-License-Identifier: MIT
#include "dispatch/supervisor.h"

#include <algorithm>
#include <utility>

#include "config/nearest.h"
#include "log/log.h"
#include "text/counted.h"
#include "text/printable.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using log::kMainLog;

// How long the servers have to read the last results, once no job runs. A server that is stopped or far away
// would otherwise delay the shutdown for the whole window.
constexpr auto kClosingTime = 2s;

}  // namespace

void Supervisor::apply(const config::Config& config) {
  context_.log_workload_size = config.log_workload_size;
  context_.decoder.show_bytes(config.log_workload_size);
  auto before = std::exchange(pools_, {});
  for (const auto& settings : config.pools) {
    auto& pool = pools_[settings.name];
    if (auto known = before.extract(settings.name)) {
      pool = std::move(known.mapped());
      pool->reconfigure(settings, config.servers);
    } else {
      pool = std::make_shared<Pool>(context_, static_cast<Pool::Owner&>(*this), settings, config.servers);
      if (const auto known_pauses = pauses_.find(settings.name); known_pauses != pauses_.end()) {
        pool->set_pauses(known_pauses->second);
      }
      pool->start();
    }
  }
  for (auto& [_, removed] : before) retire(std::move(removed));
  update_wanted();
}

void Supervisor::update_wanted() {
  bool has_slots = false;
  bool takes_jobs = false;
  for (const auto& [_, pool] : pools_) {
    if (pool->slots() == 0) continue;
    has_slots = true;
    takes_jobs |= !pool->is_paused();
  }
  wanted_ = takes_jobs ? Wanted::jobs : has_slots ? Wanted::all_paused : Wanted::no_slots;
}

base::Result<Pool*> Supervisor::find(const std::string& pool, const std::string& function) const {
  const auto found = pools_.find(pool);
  if (found == pools_.end()) {
    if (draining_) return base::Error{"the daemon is shutting down"};
    std::vector<std::string_view> names;
    for (const auto& [name, _] : pools_) names.push_back(name);
    return base::Error{fmt::format("there is no pool {} in the jobs file{}", text::printable(pool, 128),
                                   config::did_you_mean(pool, names))};
  }
  if (!function.empty() && !found->second->serves(function)) {
    const auto& functions = found->second->jobs_list();
    const std::vector<std::string_view> names(functions.begin(), functions.end());
    return base::Error{fmt::format("pool {} has no function {} in its jobs_list{}",
                                   text::printable(pool, 128), text::printable(function, 128),
                                   config::did_you_mean(function, names))};
  }
  return found->second.get();
}

base::Result<void> Supervisor::pause(const std::string& pool, const std::string& function, Pause pause) {
  if (const auto found = find(pool, function); !found) return found.error();
  Pauses& pauses = pauses_[pool];
  if (function.empty()) {
    pauses.pool = std::move(pause);
  } else {
    pauses.functions[function] = std::move(pause);
  }
  pauses_changed(pool);
  return {};
}

base::Result<void> Supervisor::resume(const std::string& pool, const std::string& function) {
  const auto found = find(pool, function);
  if (!found) return found.error();
  Pauses& pauses = pauses_[pool];
  const bool was_paused = function.empty() ? pauses.pool.has_value() : pauses.functions.erase(function) > 0;
  if (function.empty()) pauses.pool.reset();
  pauses_changed(pool);
  if ((*found)->is_paused_by_file()) {
    return base::Error{fmt::format("{}it is paused in the jobs file, and is resumed by a change of that file",
                                   was_paused ? "the pause of the command is over, but " : "")};
  }
  if (was_paused) return {};
  return base::Error{"it is not paused"};
}

// Call it after each change of a pool's pauses.
void Supervisor::pauses_changed(const std::string& pool) {
  const auto changed = pauses_.find(pool);
  if (const auto found = pools_.find(pool); found != pools_.end()) found->second->set_pauses(changed->second);
  if (changed->second.empty()) pauses_.erase(changed);
  update_wanted();
  await_end_of_pauses();
}

void Supervisor::restore(AllPauses pauses) {
  pauses_ = std::move(pauses);
  await_end_of_pauses();
}

void Supervisor::await_end_of_pauses() {
  std::optional<base::Deadline::Clock::time_point> first;
  const auto consider = [&](const Pause& pause) {
    if (pause.until) first = std::min(first.value_or(*pause.until), *pause.until);
  };
  for (const auto& [_, pauses] : pauses_) {
    if (pauses.pool) consider(*pauses.pool);
    for (const auto& [function, pause] : pauses.functions) consider(pause);
  }
  pauses_end_.clear();
  if (first) context_.deadlines.set(pauses_end_, *first);
}

void Supervisor::end_pauses() {
  const auto now = base::Deadline::Clock::now();
  const auto is_over = [&](const Pause& pause) { return pause.until && *pause.until <= now; };
  std::vector<std::string> changed;
  for (auto& [pool, pauses] : pauses_) {
    bool any = false;
    if (pauses.pool && is_over(*pauses.pool)) {
      kMainLog.info("pool {}: its pause is over", text::printable(pool, 128));
      pauses.pool.reset();
      any = true;
    }
    std::erase_if(pauses.functions, [&, &name = pool](const auto& entry) {
      if (!is_over(entry.second)) return false;
      kMainLog.info("pool {}, function {}: its pause is over", text::printable(name, 128),
                    text::printable(entry.first, 128));
      return any = true;
    });
    if (any) changed.push_back(pool);
  }
  for (const auto& pool : changed) pauses_changed(pool);
}

int Supervisor::cancel_jobs(const std::function<bool(const Job&)>& is, std::string_view why, bool requeue) {
  int cancelled = 0;
  for (const auto& [_, pool] : std::map(pools_)) cancelled += pool->cancel_jobs(is, why, requeue);
  for (const auto& pool : std::vector(leaving_)) cancelled += pool->cancel_jobs(is, why, requeue);
  return cancelled;
}

void Supervisor::retire(std::shared_ptr<Pool> pool) {
  pool->drain();
  leaving_.push_back(std::move(pool));
}

void Supervisor::drain(std::chrono::milliseconds window, std::function<void()> done) {
  const auto ends = base::Deadline::Clock::now() + window;
  if (!draining_.exchange(true)) {
    drained_ = std::move(done);
    for (auto& [_, pool] : std::exchange(pools_, {})) retire(std::move(pool));
    window_ends_ = ends;
  }
  if (!window_over_) {
    window_ends_ = std::min(window_ends_, ends);
    context_.deadlines.set(window_, window_ends_);
  }
  finish_if_drained();
}

void Supervisor::end_window() {
  if (window_over_) return;
  told_to_end_ = true;
  window_ends_ = base::Deadline::Clock::now();
  context_.deadlines.set(window_, window_ends_);
}

void Supervisor::window_is_over() {
  window_over_ = true;
  ended_jobs_ = running_jobs();
  if (ended_jobs_ > 0) {
    kMainLog.warn(
        "shutdown: {} now: on_shutdown of the pool says whether a job fails or gearmand runs it again{}",
        text::counted(static_cast<std::uint64_t>(ended_jobs_), "job", "still runs and ends",
                      "still run and end"),
        told_to_end_ ? "" : "; a longer --shutdown_timeout lets jobs finish");
  }
  abort_jobs();
  context_.deadlines.set(closing_, kClosingTime);
}

void Supervisor::pool_at_rest(Pool&) {
  if (draining_ && !closing_.is_set() && running_jobs() == 0) context_.deadlines.set(closing_, kClosingTime);
}

void Supervisor::closing_is_over() {
  // A grab without an answer may have brought one more job. Within the window that job may run.
  if (!window_over_ && running_jobs() > 0) return;
  // A server that reads slowly is not cut off within the window either.
  if (!window_over_ &&
      std::any_of(leaving_.begin(), leaving_.end(), [](const auto& pool) { return pool->has_unsent(); })) {
    return context_.deadlines.set(closing_, kClosingTime);
  }
  abort_jobs();
  for (const auto& pool : std::vector(leaving_)) pool->stop_links();
}

void Supervisor::abort_jobs() {
  for (const auto& pool : std::vector(leaving_))
    pool->abort_jobs(told_to_end_ ? "shutdown: a signal during the shutdown ended it"
                                  : "shutdown: it was not done within --shutdown_timeout");
}

void Supervisor::pool_drained(Pool& pool) {
  std::erase_if(leaving_, [&](const auto& mine) { return mine.get() == &pool; });
  finish_if_drained();
}

void Supervisor::finish_if_drained() {
  if (!draining_ || !leaving_.empty() || !drained_) return;
  window_.clear();
  closing_.clear();
  std::exchange(drained_, nullptr)();
}

int Supervisor::running_jobs() const {
  int running = 0;
  for (const auto& [_, pool] : pools_) running += pool->running();
  for (const auto& pool : leaving_) running += pool->running();
  return running;
}

int Supervisor::slots() const {
  int slots = 0;
  for (const auto& [_, pool] : pools_) slots += pool->slots();
  return slots;
}

std::vector<PoolStatus> Supervisor::status(Detail detail) const {
  std::vector<PoolStatus> pools;
  pools.reserve(pools_.size() + leaving_.size());
  for (const auto& [_, pool] : pools_) pools.push_back(pool->status(detail));
  for (const auto& pool : leaving_) pools.push_back(pool->status(detail));
  return pools;
}

void Supervisor::links_connected(int change) {
  connected_links_.fetch_add(change, std::memory_order_relaxed);
}

}  // namespace driveshaft::dispatch
