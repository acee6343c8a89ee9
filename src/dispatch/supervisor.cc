// SPDX-License-Identifier: MIT
#include "dispatch/supervisor.h"

#include <algorithm>
#include <utility>

#include "log/log.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using log::kMainLog;

// For the servers to read the last results, once no job runs. One that is stopped or far away would otherwise
// hold the shutdown up for the whole window.
constexpr auto kGoodbye = 2s;

}  // namespace

void Supervisor::apply(const config::Config& config) {
  context_.log_workload_size = config.log_workload_size;
  auto before = std::exchange(pools_, {});
  for (const auto& settings : config.pools) {
    auto& pool = pools_[settings.name];
    if (auto known = before.extract(settings.name)) {
      pool = std::move(known.mapped());
      pool->reconfigure(settings, config.servers);
    } else {
      pool = std::make_shared<Pool>(context_, static_cast<Pool::Owner&>(*this), settings, config.servers);
      pool->start();
    }
  }
  for (auto& [_, removed] : before) retire(std::move(removed));
}

void Supervisor::retire(std::shared_ptr<Pool> pool) {
  pool->drain();
  leaving_.push_back(std::move(pool));
}

void Supervisor::drain(std::chrono::milliseconds window, std::function<void()> done) {
  const auto ends = base::Deadline::Clock::now() + window;
  if (!std::exchange(draining_, true)) {
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

void Supervisor::window_is_over() {
  window_over_ = true;
  if (const int running = running_jobs(); running > 0) {
    kMainLog.warn(
        "shutdown: {} jobs still run at the end of the window; each fails or is given back, as on_shutdown "
        "says",
        running);
  }
  abort_jobs();
  context_.deadlines.set(goodbye_, kGoodbye);
}

void Supervisor::pool_at_rest(Pool&) {
  if (draining_ && !goodbye_.is_set() && running_jobs() == 0) context_.deadlines.set(goodbye_, kGoodbye);
}

void Supervisor::goodbye_is_over() {
  // A grab that was still unanswered may have brought one more job: within the window it is let run.
  if (!window_over_ && running_jobs() > 0) return;
  // Nor is a server that reads slowly cut off within it.
  if (!window_over_ &&
      std::any_of(leaving_.begin(), leaving_.end(), [](const auto& pool) { return pool->has_unsent(); })) {
    return context_.deadlines.set(goodbye_, kGoodbye);
  }
  abort_jobs();
  for (const auto& pool : std::vector(leaving_)) pool->stop_links();
}

void Supervisor::abort_jobs() {
  for (const auto& pool : std::vector(leaving_))
    pool->abort_jobs("shutdown: it was not done within the window");
}

void Supervisor::pool_drained(Pool& pool) {
  std::erase_if(leaving_, [&](const auto& mine) { return mine.get() == &pool; });
  finish_if_drained();
}

void Supervisor::finish_if_drained() {
  if (!draining_ || !leaving_.empty() || !drained_) return;
  window_.clear();
  goodbye_.clear();
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
