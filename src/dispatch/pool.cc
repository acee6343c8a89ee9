// SPDX-License-Identifier: MIT
#include "dispatch/pool.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "dispatch/request_headers.h"

namespace driveshaft::dispatch {
namespace {

using base::kMainLog;

// Jobs kept for their memory when they are done.
constexpr std::size_t kSpareJobs = 256;

// What `wanted` has and `list` has not.
std::vector<std::string> missing_from(const std::vector<std::string>& list,
                                      const std::vector<std::string>& wanted) {
  std::vector<std::string> missing;
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(missing), [&](const std::string& name) {
    return std::find(list.begin(), list.end(), name) == list.end();
  });
  return missing;
}

LinkStatus describe(const gearman::Link& link) {
  const auto state = link.state();
  return {link.server(), state.connected, state.since, std::string(state.why)};
}

}  // namespace

Pool::Pool(Context& context, Owner& owner, config::Pool settings, std::vector<config::Server> servers)
    : context_(context),
      owner_(owner),
      metrics_(context.metrics.pool(settings.name)),
      settings_(std::move(settings)),
      servers_(std::move(servers)) {
  register_functions();
  upstream_ =
      std::make_unique<Upstream>(context_, static_cast<Upstream::Owner&>(*this), *metrics_, settings_);
}

Pool::~Pool() {
  upstream_.reset();  // it knows the jobs
  jobs_.clear_and_dispose([](Job* job) { delete job; });
}

void Pool::start() {
  keep_links();
  turn_needed();
}

void Pool::reconfigure(config::Pool settings, std::vector<config::Server> servers) {
  const auto before = std::exchange(settings_, std::move(settings));
  servers_ = std::move(servers);
  upstream_->configure(settings_);
  if (before.jobs_list != settings_.jobs_list) {
    register_functions();
    if (missing_from(settings_.jobs_list, before.jobs_list).empty()) {
      const auto added = missing_from(before.jobs_list, settings_.jobs_list);
      for (const auto& link : links_) {
        if (!link->retiring()) link->add_functions(added);
      }
    } else {
      // To withdraw a function from a live connection would run its jobs a second time: new connections
      // take over, the old ones finish.
      withdrawing_ = true;
      for (const auto& link : Links(links_)) link->retire();
    }
  }
  keep_links();
  turn_needed();
}

// Those of the jobs file; the others are withdrawn, and kept while jobs of theirs may come or run.
void Pool::register_functions() {
  for (auto& [_, function] : functions_) function.withdrawn = true;
  for (const auto& name : settings_.jobs_list) {
    const auto [entry, _] = functions_.try_emplace(
        name, Function{name, metrics_->function(name), function_lines(settings_.name, name)});
    entry->second.withdrawn = false;
  }
}

// Makes the links what the jobs file says: `connections` to each server, none for a pool without slots.
void Pool::keep_links() {
  struct Wanted {
    const config::Server& server;
    std::shared_ptr<base::TlsClient> tls;
    int missing;
  };
  std::vector<Wanted> wanted;
  if (!draining_ && settings_.worker_count > 0 && !settings_.jobs_list.empty()) {
    for (const auto& server : servers_) {
      wanted.push_back({server, context_.tls.client(server.tls), settings_.settings.connections});
    }
  }
  for (const auto& link : Links(links_)) {
    if (link->retiring()) continue;
    const auto match = std::find_if(wanted.begin(), wanted.end(), [&](const Wanted& one) {
      return one.missing > 0 && one.server.address == link->server() && one.tls.get() == link->tls();
    });
    if (match == wanted.end()) {
      link->retire();
    } else {
      --match->missing;
    }
  }
  gearman::LinkOwner& owner = *this;
  for (const auto& [server, tls, missing] : wanted) {
    for (int count = missing; count > 0; --count) {
      links_.push_back(std::make_shared<gearman::Link>(
          context_.resolver, context_.deadlines, owner,
          gearman::Link::Settings{server.address, context_.servers[server.address], context_.client_id,
                                  settings_.jobs_list, context_.loop_timeout, tls}));
      links_.back()->start();
    }
  }
}

void Pool::drain() {
  draining_ = true;
  metrics_->set_idle(0);
  upstream_->drain();
  keep_links();
  turn_needed();
}

void Pool::abort_jobs(std::string_view why) {
  // One that is aborted may end others, too: those are spared then, and aborting them does nothing.
  std::vector<Job*> running;
  for (Job& job : jobs_) running.push_back(&job);
  for (Job* job : running) job->abort(why);
}

bool Pool::has_unsent() const {
  return std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->has_unsent(); });
}

void Pool::stop_links() {
  for (const auto& link : Links(links_)) {
    if (link->connected()) {
      kMainLog.warn("gearmand {}: it answers no goodbye; whether it has read the last results is not known",
                    base::to_string(link->server()));
    }
    link->stop();
  }
}

bool Pool::job_assigned(gearman::Link& link, const gearman::Assignment& assignment,
                        std::unique_ptr<char[]> storage) {
  --reserved_;
  const auto function = functions_.find(assignment.function);
  if (function == functions_.end()) return false;
  ++running_;
  upstream_->taken();
  Job& job = *spare_job().release();
  jobs_.push_back(job);
  job.start(assignment, std::move(storage), {link.shared_from_this(), link.generation()}, function->second,
            *upstream_, settings_.settings);
  turn_needed();
  return true;
}

std::unique_ptr<Job> Pool::spare_job() {
  if (spare_jobs_.empty()) return std::make_unique<Job>(context_, static_cast<JobOwner&>(*this));
  auto job = std::move(spare_jobs_.back());
  spare_jobs_.pop_back();
  return job;
}

void Pool::job_done(Job& job) {
  --running_;
  ++context_.jobs_done;
  jobs_.erase(jobs_.iterator_to(job));
  spare_jobs_.emplace_back(&job);
  turn_needed();
}

// The result of a job that runs alone does not wait for others to share its write.
void Pool::result_ready() {
  if (running_ == 1) flush_links();
}

void Pool::job_failed(FailedJob failure) {
  if (failures_.size() == kKeptFailures) failures_.pop_back();
  failures_.push_front(std::make_shared<const FailedJob>(std::move(failure)));
}

PoolStatus Pool::status(Detail detail) const {
  PoolStatus status{.settings = settings_,
                    .draining = draining_,
                    .running = running_,
                    .tally = metrics_->tally(),
                    .endpoint = upstream_->status(),
                    .links = {},
                    .functions = {},
                    .jobs = {},
                    .failures = {}};
  for (const auto& link : links_) {
    if (!link->retiring()) status.links.push_back(describe(*link));
  }
  if (detail == Detail::figures) return status;
  for (const auto& [name, function] : functions_) {
    status.functions.push_back({name, function.running, function.withdrawn, function.metrics.outcomes()});
  }
  for (auto job = jobs_.begin(); job != jobs_.end() && status.jobs.size() < kListedJobs; ++job) {
    status.jobs.push_back(job->status());
  }
  status.failures.assign(failures_.begin(), failures_.end());
  return status;
}

void Pool::slots_released(int count) { reserved_ -= count; }

void Pool::relieved(gearman::Link& link) {
  for (Job& job : jobs_) job.relieved(link);
}

void Pool::link_changed(bool connected) {
  const int change = connected ? 1 : -1;
  metrics_->connections_changed(change);
  if (!connected) upstream_->drop_unwanted();
  owner_.links_connected(change);
}
void Pool::result_refused() { metrics_->result_refused(); }

void Pool::link_closed(gearman::Link& link) {
  std::erase_if(links_, [&](const auto& mine) { return mine.get() == &link; });
  turn_needed();
}

// Whatever happens in one turn of the loop is answered once at its end: slots are shared out, and each link
// sends what it has in one write.
void Pool::turn_needed() {
  turn_wanted_ = true;
  if (in_input_ || std::exchange(turn_posted_, true)) return;
  asio::post(context_.loop, [self = shared_from_this()] {
    self->turn_posted_ = false;
    if (self->turn_wanted_) self->end_turn();
  });
}

void Pool::input_begins() { in_input_ = true; }

void Pool::input_ends() {
  in_input_ = false;
  if (turn_wanted_) end_turn();
}

void Pool::flush_links() {
  for (const auto& link : links_) link->flush();
}

void Pool::end_turn() {
  turn_wanted_ = false;
  share_out_slots();
  flush_links();
  if (!draining_) metrics_->set_idle(std::max(settings_.worker_count - running_, 0));
  if (spare_jobs_.size() > kSpareJobs) spare_jobs_.resize(kSpareJobs);
  upstream_->sweep();
  if (withdrawing_) forget_withdrawn();
  if (!draining_ || drained_ || running_ > 0) return;
  drained_ = links_.empty();
  if (drained_) {
    owner_.pool_drained(*this);
  } else {
    owner_.pool_at_rest(*this);
  }
}

// Links take turns: when slots are scarce no server waits for another to run dry.
void Pool::share_out_slots() {
  int free = settings_.worker_count - reserved_ - running_;
  const auto reserve = [&](int count) {
    reserved_ += count;
    free -= count;
  };
  for (const auto& link : links_) {
    if (free <= 0) return;
    if (!link->wants_unsleep()) continue;
    link->unsleep();
    reserve(1);
  }
  free = std::min(free, upstream_->room(reserved_));
  while (free > 0) {
    const auto wanting = static_cast<int>(
        std::count_if(links_.begin(), links_.end(), [](const auto& link) { return link->wanted() > 0; }));
    if (wanting == 0) return;
    const int share = std::max(free / wanting, 1);
    for (std::size_t count = links_.size(); count > 0 && free > 0; --count) {
      gearman::Link& link = *links_[next_link_++ % links_.size()];
      if (const int grabs = std::min({link.wanted(), share, free}); grabs > 0) {
        link.grab(grabs);
        reserve(grabs);
      }
    }
  }
}

void Pool::forget_withdrawn() {
  if (std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->retiring(); })) return;
  std::erase_if(functions_, [&](const auto& entry) {
    const Function& function = entry.second;
    if (!function.withdrawn || function.running > 0) return false;
    upstream_->forget(function);
    metrics_->forget(function.name);
    return true;
  });
  withdrawing_ = std::any_of(functions_.begin(), functions_.end(),
                             [](const auto& entry) { return entry.second.withdrawn; });
}

}  // namespace driveshaft::dispatch
