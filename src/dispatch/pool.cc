// SPDX-License-Identifier: MIT
#include "dispatch/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "dispatch/request_headers.h"

namespace driveshaft::dispatch {
namespace {

using base::kMainLog;

// Jobs kept for their memory when they are done.
constexpr std::size_t kSpareJobs = 256;

// Functions named in a line about an endpoint.
constexpr std::size_t kNamedFunctions = 5;

std::string in_a_line(const std::vector<std::string>& functions) {
  std::string line;
  for (std::size_t i = 0; i < std::min(functions.size(), kNamedFunctions); ++i) {
    if (i > 0) line += ", ";
    base::append_printable(line, functions[i], 128);
  }
  if (functions.size() > kNamedFunctions)
    line += fmt::format(" and {} more", functions.size() - kNamedFunctions);
  return line;
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
      servers_(std::move(servers)),
      rate_(settings_.settings.max_rate, TokenBucket::Clock::now()) {
  places_.most = std::max(settings_.worker_count, 1);
  upstream_ = std::make_unique<Upstream>(context_, static_cast<Upstream::Owner&>(*this), *metrics_, places_,
                                         Upstream::Kind::of_pool, settings_);
  register_functions();
}

Pool::~Pool() {
  upstream_.reset();  // they know the jobs
  function_upstreams_.clear();
  jobs_.clear_and_dispose([](Job* job) { delete job; });
}

void Pool::start() {
  keep_lanes();
  turn_needed();
}

void Pool::reconfigure(config::Pool settings, std::vector<config::Server> servers) {
  const auto before = std::exchange(settings_, std::move(settings));
  servers_ = std::move(servers);
  places_.most = std::max(settings_.worker_count, 1);
  if (const double rate = settings_.settings.max_rate; before.settings.max_rate != rate) {
    rate_ = TokenBucket(rate, TokenBucket::Clock::now());
  }
  register_functions();
  upstream_->configure(settings_);
  keep_endpoints();
  keep_lanes();
  turn_needed();
}

// Those of the jobs file; the others are withdrawn, and kept while jobs of theirs may come or run.
void Pool::register_functions() {
  for (auto& [_, function] : functions_) {
    function.withdrawn = true;
    function.lane = nullptr;
  }
  for (const auto& name : settings_.jobs_list) {
    const auto [entry, is_new] = functions_.try_emplace(
        name, Function{name, metrics_->function(name), function_lines(settings_.name, name)});
    Function& function = entry->second;
    const auto& own = settings_.of_function(name);
    function.withdrawn = false;
    function.max_running_time =
        own.max_running_time.count() > 0 ? own.max_running_time : context_.max_running_time;
    function.max_concurrency = own.max_concurrency > 0 ? own.max_concurrency : kNoLimit;
    function.upstream = &upstream_of(own);
  }
  withdrawing_ = std::any_of(functions_.begin(), functions_.end(),
                             [](const auto& entry) { return entry.second.withdrawn; });
}

Upstream& Pool::upstream_of(const config::FunctionSettings& function) {
  if (!function.uri || *function.uri == settings_.uri) return *upstream_;
  const auto known = std::find_if(
      function_upstreams_.begin(), function_upstreams_.end(),
      [&](const auto& upstream) { return !upstream->retired() && upstream->uri() == *function.uri; });
  if (known != function_upstreams_.end()) return **known;
  function_upstreams_.push_back(std::make_unique<Upstream>(context_, static_cast<Upstream::Owner&>(*this),
                                                           *metrics_, places_, Upstream::Kind::of_functions,
                                                           settings_at(*function.uri)));
  return *function_upstreams_.back();
}

// What an upstream need not know is left out: there may be one for each function.
config::Pool Pool::settings_at(const base::Uri& uri) const {
  return {.name = settings_.name,
          .uri = uri,
          .worker_count = settings_.worker_count,
          .jobs_list = {},
          .settings = settings_.settings,
          .tls = settings_.tls,
          .document_root = settings_.document_root,
          .functions = {}};
}

std::vector<std::string> Pool::functions_of(const Upstream& upstream) const {
  std::vector<std::string> names;
  for (const auto& [name, function] : functions_) {
    if (function.upstream == &upstream) names.push_back(name);
  }
  return names;
}

template <class Do>
void Pool::for_each_upstream(Do act) const {
  act(*upstream_);
  for (const auto& upstream : function_upstreams_) act(*upstream);
}

// After register_functions(). Withdrawn functions keep the one that they have.
void Pool::keep_endpoints() {
  for (const auto& upstream : function_upstreams_) {
    if (upstream->retired()) continue;
    upstream->configure(settings_at(base::Uri(upstream->uri())));
  }
  for_each_upstream([](Upstream& upstream) { upstream.hand_over(); });
  retire_upstreams();
}

void Pool::retire_upstreams() {
  for (const auto& upstream : function_upstreams_) {
    if (!upstream->retired() && functions_of(*upstream).empty()) upstream->retire();
  }
}

// After register_functions(). The lanes of the jobs file; the others finish.
void Pool::keep_lanes() {
  const auto plans = plan_lanes(settings_);
  for (const auto& lane : lanes_) {
    const bool is_planned = std::any_of(plans.begin(), plans.end(),
                                        [&](const LanePlan& plan) { return plan.key == lane->key(); });
    if (!is_planned) lane->configure({}, nullptr, kNoLimit);
    lane->set_running(0);
  }
  for (const auto& plan : plans) {
    auto known =
        std::find_if(lanes_.begin(), lanes_.end(), [&](const auto& lane) { return lane->key() == plan.key; });
    if (known == lanes_.end()) {
      known = lanes_.insert(
          lanes_.end(), std::make_unique<Lane>(context_, static_cast<gearman::LinkOwner&>(*this), plan.key));
    }
    Lane& lane = **known;
    int running = 0;
    for (const auto& name : plan.functions) {
      Function& function = functions_.at(name);
      function.lane = &lane;
      running += function.running;
    }
    const Function& first = functions_.at(plan.functions.front());
    lane.configure(plan.functions, first.upstream, plan.key.empty() ? kNoLimit : first.max_concurrency);
    lane.set_running(running);
  }
  const bool has_others = std::any_of(function_upstreams_.begin(), function_upstreams_.end(),
                                      [](const auto& upstream) { return !upstream->retired(); });
  for_each_upstream([&](Upstream& upstream) {
    upstream.set_functions(has_others ? in_a_line(functions_of(upstream)) : "");
  });
  keep_links();
}

// `connections` to each server, none for a pool without slots.
void Pool::keep_links() {
  const bool takes_jobs = !draining_ && settings_.worker_count > 0;
  for (const auto& lane : lanes_) lane->keep_links(servers_, takes_jobs ? settings_.settings.connections : 0);
}

void Pool::drain() {
  draining_ = true;
  metrics_->set_idle(0);
  for_each_upstream([](Upstream& upstream) { upstream.drain(); });
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
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->has_unsent(); });
}

void Pool::stop_links() {
  for (const auto& lane : lanes_) lane->stop_links();
}

bool Pool::job_assigned(gearman::Link& link, const gearman::Assignment& assignment,
                        std::unique_ptr<char[]> storage) {
  --reserved_;
  const auto known = functions_.find(assignment.function);
  if (known == functions_.end()) return false;
  Function& function = known->second;
  ++running_;
  rate_.take();
  if (function.lane) function.lane->job_begins();
  Job& job = *spare_job().release();
  jobs_.push_back(job);
  job.start(assignment, std::move(storage), {link.shared_from_this(), link.generation()}, function,
            settings_.settings);
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
  if (Lane* lane = job.function().lane) lane->job_ends();
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
                    .lent = lent_slots(),
                    .tally = metrics_->tally(),
                    .endpoint = upstream_->status(),
                    .function_endpoints = {},
                    .links = {},
                    .functions = {},
                    .jobs = {},
                    .failures = {}};
  for (const auto& upstream : function_upstreams_) {
    if (!upstream->retired()) {
      status.function_endpoints.push_back(
          {upstream->uri().display, upstream->status(), functions_of(*upstream)});
    }
  }
  for (const auto& lane : lanes_) {
    for (const auto& link : lane->links()) {
      if (!link->retiring()) status.links.push_back(describe(*link));
    }
  }
  if (detail == Detail::figures) return status;
  for (const auto& [name, function] : functions_) {
    status.functions.push_back({name, function.running, function.withdrawn,
                                function.max_concurrency == kNoLimit ? 0 : function.max_concurrency,
                                function.metrics.outcomes()});
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
  if (!connected) for_each_upstream([](Upstream& upstream) { upstream.drop_unwanted(); });
  owner_.links_connected(change);
}
void Pool::result_refused() { metrics_->result_refused(); }

void Pool::link_closed(gearman::Link&) { turn_needed(); }

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
  for (const auto& lane : lanes_) lane->flush();
}

void Pool::end_turn() {
  turn_wanted_ = false;
  share_out_slots();
  flush_links();
  if (!draining_) metrics_->set_idle(std::max(settings_.worker_count - running_ + lent_slots(), 0));
  if (spare_jobs_.size() > kSpareJobs) spare_jobs_.resize(kSpareJobs);
  sweep();
  if (!draining_ || drained_ || running_ > 0) return;
  drained_ =
      std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->links().empty(); });
  if (drained_) {
    owner_.pool_drained(*this);
  } else {
    owner_.pool_at_rest(*this);
  }
}

// Lanes take turns, and so do the links of each: when slots are scarce no server and no function with a lane
// of its own waits for another to run dry.
void Pool::share_out_slots() {
  int free = settings_.worker_count - reserved_ - running_;
  for (const auto& lane : lanes_) {
    if (free <= 0) break;
    const int sent = lane->unsleep(free);
    reserve(sent);
    free -= sent;
  }
  if (!function_upstreams_.empty()) {
    for_each_upstream([](Upstream& upstream) { upstream.release(); });
    free += lent_slots();
  }
  if (free <= 0) return;
  free = std::min(free, rate_room());
  if (lanes_.size() == 1) return reserve(lanes_.front()->grab(std::min(free, lanes_.front()->room())));
  share_out_scarce(free);
}

// Slots of jobs that wait for one endpoint are of use to the functions of another.
int Pool::lent_slots() const {
  int lent = 0;
  if (function_upstreams_.empty()) return lent;
  for_each_upstream([&](const Upstream& upstream) { lent += upstream.stuck(); });
  return lent;
}

// Among several lanes: each gets what it wants if there is enough, else slots go one by one to the one that
// has the fewest jobs, so that a function with slow jobs leaves room for the others.
void Pool::share_out_scarce(int free) {
  const auto takes = [](const Lane& lane) { return std::min(lane.wanted(), lane.room()); };
  wanting_.clear();
  int all = 0;
  for (const auto& lane : lanes_) {
    const int some = takes(*lane);
    if (some <= 0) continue;
    wanting_.push_back(lane.get());
    all += some;
  }
  if (all <= free) {
    for (Lane* lane : wanting_) reserve(lane->grab(lane->room()));
    return;
  }
  for (; free > 0 && !wanting_.empty(); --free) {
    const auto next =
        std::min_element(wanting_.begin(), wanting_.end(), [](const Lane* one, const Lane* other) {
          return std::pair(one->jobs(), one->turn) < std::pair(other->jobs(), other->turn);
        });
    Lane& lane = **next;
    lane.turn = ++turn_;
    reserve(lane.grab(1));
    if (takes(lane) <= 0) wanting_.erase(next);
  }
}

// How many more jobs may be taken, so far as max_rate is concerned.
int Pool::rate_room() {
  if (rate_.rate() == 0) return kNoLimit;
  const int tokens = std::max(rate_.available(TokenBucket::Clock::now()) - reserved_, 0);
  if (tokens == 0) context_.deadlines.set(rate_wait_, rate_.wait_for(reserved_ + 1));
  return tokens;
}

// Lets go of what has nothing to do any more.
void Pool::sweep() {
  for_each_upstream([](Upstream& upstream) { upstream.sweep(); });
  if (withdrawing_) forget_withdrawn();
  if (!function_upstreams_.empty()) {
    std::erase_if(function_upstreams_,
                  [](const auto& upstream) { return upstream->retired() && upstream->unused(); });
  }
  std::erase_if(lanes_, [](const auto& lane) { return lane->empty(); });
}

void Pool::forget_withdrawn() {
  if (std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->is_retiring(); })) return;
  std::erase_if(functions_, [&](const auto& entry) {
    const Function& function = entry.second;
    if (!function.withdrawn || function.running > 0) return false;
    for_each_upstream([&](Upstream& upstream) { upstream.forget(function); });
    metrics_->forget(function.name);
    return true;
  });
  withdrawing_ = std::any_of(functions_.begin(), functions_.end(),
                             [](const auto& entry) { return entry.second.withdrawn; });
  retire_upstreams();
}

}  // namespace driveshaft::dispatch
