// SPDX-License-Identifier: MIT
#include "dispatch/pool.h"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "config/diff.h"
#include "dispatch/request_headers.h"
#include "log/log.h"

namespace driveshaft::dispatch {
namespace {

// Most objects of ended jobs that are kept so that their memory is used again.
constexpr std::size_t kSpareJobs = 256;

// Builds for development compare each counter with what it counts.
#if !defined(NDEBUG) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCheckAdmission = true;
#else
constexpr bool kCheckAdmission = false;
#endif

LinkStatus describe(const gearman::Link& link) {
  const auto state = link.state();
  return {link.server(), state.connected, state.since, std::string(state.why)};
}

PoolLink& mine(gearman::Link& link) { return static_cast<PoolLink&>(link); }

}  // namespace

Pool::Pool(Context& context, Owner& owner, config::PoolConfig settings,
           std::vector<config::ServerConfig> servers)
    : context_(context),
      owner_(owner),
      metrics_(context.metrics.pool(settings.name)),
      settings_(std::move(settings)),
      servers_(std::move(servers)),
      admission_(settings_.worker_count, settings_.settings.max_rate, Admission::Clock::now()) {
  endpoint_ = std::make_unique<PoolEndpoint>(context_, static_cast<LimitOwner&>(*this), admission_, *metrics_,
                                             PoolEndpoint::Kind::of_pool, settings_, settings_.endpoint);
  register_functions();
}

Pool::~Pool() {
  function_endpoints_.clear();  // destroyed before the jobs, because their connections refer to jobs
  endpoint_.reset();
  for (JobList* jobs : {&jobs_, &spare_jobs_}) jobs->clear_and_dispose(std::default_delete<Job>());
}

void Pool::start() {
  keep_lanes();
  turn_needed();
}

void Pool::reconfigure(config::PoolConfig settings, std::vector<config::ServerConfig> servers) {
  const auto changes = config::compare(settings_, settings);
  settings_ = std::move(settings);
  servers_ = std::move(servers);
  admission_.set_slots(settings_.worker_count);
  admission_.set_rate(settings_.settings.max_rate, Admission::Clock::now());
  for_each_endpoint([&](PoolEndpoint& endpoint) {
    if (!endpoint.retired()) endpoint.configure(changes, backends_for(endpoint));
  });
  register_functions();
  retire_endpoints();
  keep_lanes();
  turn_needed();
}

void Pool::set_pauses(const Pauses& pauses) {
  pauses_ = pauses;
  count_pauses();
  keep_lanes();
  turn_needed();
}

int Pool::cancel_jobs(const std::function<bool(const Job&)>& is, std::string_view why, bool requeue) {
  const auto jobs = jobs_that(
      [&](const Job& job) { return job.state() != Job::State::idle && !job.is_dead_lettering() && is(job); });
  for (Job* job : jobs) {
    // gearmand gives a job to another worker when the connection that it came over closes. A new link takes
    // over.
    if (requeue) job->link().retire();
    job->cancel(why, requeue);
  }
  if (requeue) keep_links();
  return static_cast<int>(jobs.size());
}

// Registers the functions of the jobs file. The others are withdrawn, and are kept while jobs of theirs run
// or may come.
void Pool::register_functions() {
  for (auto& [_, function] : functions_) function.withdrawn = true;
  for (const auto& name : settings_.jobs_list) {
    const auto [entry, is_new] = functions_.try_emplace(
        name, Function{name, metrics_->function(name), function_lines(settings_.name, name)});
    Function& function = entry->second;
    const auto& own = settings_.of_function(name);
    function.withdrawn = false;
    function.max_running_time = settings_.max_running_time_of(name, context_.max_running_time);
    function.endpoint = &endpoint_of(own);
    const auto& letters = settings_.settings.dead_letter_function;
    if (!letters.empty() && letters != name) function.metrics.expect_dead_letters();
  }
  withdrawing_ = std::any_of(functions_.begin(), functions_.end(),
                             [](const auto& entry) { return entry.second.withdrawn; });
  count_pauses();
}

// Tells the metrics what is paused.
void Pool::count_pauses() {
  metrics_->set_paused(settings_.paused || pauses_.pool);
  for (const auto& [name, function] : functions_) function.metrics.set_paused(!takes_jobs_of(name));
}

// The configuration that an endpoint gets from now on. If all its functions change to the same other
// backends, the endpoint changes with them: then jobs that run at a backend which stays still count against
// the limit of that backend.
const config::EndpointConfig& Pool::backends_for(const PoolEndpoint& endpoint) const {
  if (&endpoint == endpoint_.get()) return settings_.endpoint;
  const config::EndpointConfig* wanted = nullptr;
  for (const auto& name : settings_.jobs_list) {
    const auto known = functions_.find(name);
    if (known == functions_.end() || known->second.endpoint != &endpoint) continue;
    const auto& own = settings_.of_function(name).endpoint;
    if (!own || (wanted && *own != *wanted)) return endpoint.config();
    wanted = &*own;
  }
  const bool is_taken =
      wanted && (*wanted == settings_.endpoint ||
                 std::any_of(function_endpoints_.begin(), function_endpoints_.end(), [&](const auto& other) {
                   return !other->retired() && other->config() == *wanted;
                 }));
  return wanted && !is_taken ? *wanted : endpoint.config();
}

PoolEndpoint& Pool::endpoint_of(const config::FunctionSettings& function) {
  if (!function.endpoint || *function.endpoint == settings_.endpoint) return *endpoint_;
  const auto known = std::find_if(
      function_endpoints_.begin(), function_endpoints_.end(),
      [&](const auto& endpoint) { return !endpoint->retired() && endpoint->config() == *function.endpoint; });
  if (known != function_endpoints_.end()) return **known;
  function_endpoints_.push_back(
      std::make_unique<PoolEndpoint>(context_, static_cast<LimitOwner&>(*this), admission_, *metrics_,
                                     PoolEndpoint::Kind::of_functions, settings_, *function.endpoint));
  return *function_endpoints_.back();
}

std::vector<std::string> Pool::functions_of(const PoolEndpoint& endpoint) const {
  std::vector<std::string> names;
  for (const auto& [name, function] : functions_) {
    if (function.endpoint == &endpoint) names.push_back(name);
  }
  return names;
}

template <class Do>
void Pool::for_each_endpoint(Do act) const {
  act(*endpoint_);
  for (const auto& endpoint : function_endpoints_) act(*endpoint);
}

// Retires endpoints that no function has. Withdrawn functions keep their endpoint. Call it after
// register_functions().
void Pool::retire_endpoints() {
  for (const auto& endpoint : function_endpoints_) {
    if (!endpoint->retired() && functions_of(*endpoint).empty()) endpoint->retire();
  }
}

// Makes the lanes of the jobs file; the other lanes finish their jobs. Call it after register_functions().
void Pool::keep_lanes() {
  auto plans = plan_lanes(settings_);
  for (LanePlan& plan : plans) {
    std::erase_if(plan.functions, [&](const std::string& name) { return !takes_jobs_of(name); });
  }
  std::erase_if(plans, [](const LanePlan& plan) { return plan.functions.empty(); });
  for (const auto& lane : lanes_) {
    const bool is_planned = std::any_of(plans.begin(), plans.end(),
                                        [&](const LanePlan& plan) { return plan.key == lane->key(); });
    if (is_planned) continue;
    lane->set_functions({});
    admission_.set_lane(lane->permits(), nullptr, kNoLimit);
  }
  for (auto& [name, function] : functions_) {
    if (!function.withdrawn && takes_jobs_of(name)) continue;
    function.lane = nullptr;
    admission_.set_function(function.permits, function.endpoint->permits(), nullptr,
                            function.permits.limit());
  }
  for (const auto& plan : plans) {
    Lane& lane = lane_of(plan);
    lane.set_functions(plan.functions);
    lane.set_breaker(settings_.settings.breaker);
    int limit = kNoLimit;
    for (const auto& name : plan.functions) {
      const int own = settings_.of_function(name).max_concurrency;
      const int most = own > 0 ? own : kNoLimit;
      Function& function = functions_.at(name);
      function.lane = &lane;
      admission_.set_function(function.permits, function.endpoint->permits(), &lane.permits(), most);
      if (!plan.key.empty()) limit = most;
    }
    const Function& first = functions_.at(plan.functions.front());
    admission_.set_lane(lane.permits(), &first.endpoint->permits(), limit);
  }
  keep_links();
}

Lane& Pool::lane_of(const LanePlan& plan) {
  const auto known =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const auto& lane) { return lane->key() == plan.key; });
  if (known != lanes_.end()) return **known;
  lanes_.push_back(std::make_unique<Lane>(context_, static_cast<gearman::LinkOwner&>(*this),
                                          static_cast<LimitOwner&>(*this), admission_, *metrics_,
                                          settings_.name, plan.key));
  return *lanes_.back();
}

bool Pool::is_paused() const {
  return settings_.paused || pauses_.pool ||
         std::none_of(settings_.jobs_list.begin(), settings_.jobs_list.end(),
                      [this](const std::string& name) { return takes_jobs_of(name); });
}

// Keeps gearmand_connections links to each server, or none if the pool is paused, drains or has no slots.
void Pool::keep_links() {
  const bool takes_jobs = slots() > 0 && !is_paused();
  for (const auto& lane : lanes_)
    lane->keep_links(servers_, takes_jobs ? settings_.settings.gearmand_connections : 0);
}

void Pool::drain() {
  draining_ = true;
  metrics_->set_idle(0);
  admission_.drain();
  for (Job* job : jobs_that([](const Job& job) { return job.state() == Job::State::held; }))
    job->pool_drains();
  keep_links();
  turn_needed();
}

void Pool::abort_jobs(std::string_view why) {
  for (Job* job : jobs_that([](const Job&) { return true; })) job->abort(why);
}

// Copies the jobs into a list, because what the caller does with a job may end it and change jobs_.
template <class Is>
std::vector<Job*> Pool::jobs_that(Is is) {
  std::vector<Job*> jobs;
  for (Job& job : jobs_) {
    if (is(job)) jobs.push_back(&job);
  }
  return jobs;
}

bool Pool::has_unsent() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->has_unsent(); });
}

void Pool::stop_links() {
  for (const auto& lane : lanes_) lane->stop_links();
}

bool Pool::job_assigned(gearman::Link& link, const gearman::Assignment& assignment,
                        std::unique_ptr<char[]> storage) {
  const auto known = functions_.find(assignment.function);
  if (known == functions_.end()) {
    admission_.no_job(mine(link));
    return false;
  }
  if (spare_jobs_.empty()) {
    try {
      spare_jobs_.push_back(*new Job(context_, static_cast<JobOwner&>(*this)));
    } catch (const std::bad_alloc&) {
      return refuse_for_memory(link, assignment);
    }
  }
  Job& job = spare_jobs_.back();
  jobs_.splice(jobs_.end(), spare_jobs_, spare_jobs_.iterator_to(job));
  admission_.job_assigned(mine(link), job, known->second.permits);
  job.start(assignment, std::move(storage), {link.shared_from_this(), link.generation()}, known->second,
            settings_.settings);
  turn_needed();
  return true;
}

// Fails a job for which there is no memory at all.
bool Pool::refuse_for_memory(gearman::Link& link, const gearman::Assignment& assignment) {
  admission_.no_job(mine(link));
  try {
    if (!link.send_result(link.generation(), assignment.handle, gearman::JobResult::fail, {})) return true;
  } catch (const std::bad_alloc&) {
    link.leave_unanswered(link.generation());
  }
  log_no_memory_for_job();
  return true;
}

void Pool::attempt_ready(Job& job) {
  switch (admission_.admit(job)) {
    case Admission::Admitted::posted:
      return job.post(static_cast<Backend&>(job.backend()));
    case Admission::Admitted::held:
      return turn_needed();
    case Admission::Admitted::requeue:
      return job.pool_drains();
  }
}

void Pool::attempt_ended(Job& job, BackendHealth::Attempt attempt) {
  Lane* const lane = job.function().lane;
  if (lane && attempt.score != AttemptScore::none) {
    lane->attempt_ended(attempt.score, attempt.took, settings_.worker_count);
  }
  if (job.state() == Job::State::posted)
    static_cast<Backend&>(job.backend()).attempt_ended(std::move(attempt));
  admission_.release(job);
  turn_needed();
}

void Pool::job_done(Job& job) {
  admission_.end(job);
  failures_in_a_row_ = job.has_failed() ? failures_in_a_row_ + 1 : 0;
  ++context_.jobs_done;
  spare_jobs_.splice(spare_jobs_.end(), jobs_, jobs_.iterator_to(job));
  turn_needed();
}

// If only one job runs, its result is sent at once: there are no others whose results could share the write.
void Pool::result_ready() {
  if (admission_.running() == 1) flush_links();
}

void Pool::job_failed(FailedJob failure) {
  if (failures_.size() == kKeptFailures) failures_.pop_back();
  failures_.push_front(std::make_shared<const FailedJob>(std::move(failure)));
}

PoolStatus Pool::status(Detail detail) const {
  std::vector<BackendStatus> draining;
  for (const auto& endpoint : function_endpoints_) {
    if (!endpoint->retired()) continue;
    for (auto& backend : endpoint->draining()) draining.push_back(std::move(backend));
  }
  PoolStatus status{.settings = settings_,
                    .draining = draining_,
                    .running = admission_.running(),
                    .without_slots = admission_.held_without_slots(),
                    .pauses = pauses_,
                    .tally = detail == Detail::figures ? metrics_->take_tally() : metrics_->tally(),
                    .endpoint = endpoint_->status(std::move(draining)),
                    .function_endpoints = {},
                    .breakers = {},
                    .links = {},
                    .last_failure = failures_.empty() ? nullptr : failures_.front(),
                    .failures_in_a_row = failures_in_a_row_,
                    .functions = {},
                    .jobs = {},
                    .failures = {}};
  for (const auto& endpoint : function_endpoints_) {
    if (!endpoint->retired()) {
      status.function_endpoints.push_back({endpoint->name(), endpoint->status(), functions_of(*endpoint)});
    }
  }
  for (const auto& lane : lanes_) {
    if (auto breaker = lane->breaker_status()) status.breakers.push_back(std::move(*breaker));
    for (const auto& link : lane->links()) {
      if (!link->retiring()) status.links.push_back(describe(*link));
    }
  }
  if (detail == Detail::figures) return status;
  for (const auto& [name, function] : functions_) {
    const int limit = function.permits.limit();
    status.functions.push_back({name, function.permits.running(), function.withdrawn,
                                limit == kNoLimit ? 0 : limit, function.metrics.outcomes()});
  }
  for (auto job = jobs_.begin(); job != jobs_.end() && status.jobs.size() < kListedJobs; ++job) {
    status.jobs.push_back(job->status());
  }
  status.failures.assign(failures_.begin(), failures_.end());
  return status;
}

void Pool::no_job(gearman::Link& link) { admission_.no_job(mine(link)); }

void Pool::grabs_are_late(gearman::Link& link) { admission_.grabs_are_late(mine(link)); }

void Pool::connection_lost(gearman::Link& link) {
  admission_.connection_lost(mine(link));
  const auto is_unwanted = [](const Job& job) {
    return (job.state() == Job::State::held || job.is_waiting()) && !job.result_wanted();
  };
  for (Job* job : jobs_that(is_unwanted)) job->drop();
  turn_needed();
}

void Pool::on_writable(gearman::Link& link) {
  for (Job& job : jobs_) job.on_writable(link);
}

void Pool::link_changed(bool connected) {
  const int change = connected ? 1 : -1;
  metrics_->connections_changed(change);
  owner_.links_connected(change);
}

void Pool::result_refused() { metrics_->result_refused(); }

void Pool::link_closed(gearman::Link& link) {
  mine(link).unlink();
  for (const auto& lane : lanes_) lane->link_closed(link);
  turn_needed();
}

void Pool::turn_needed(gearman::Link& link) {
  if (!mine(link).is_linked()) to_flush_.push_back(mine(link));
  turn_needed();
}

// Lets end_turn() run once at the end of this turn of the loop. Then held jobs are sent, slots are shared
// out, and each link sends all it has in one write.
void Pool::turn_needed() {
  turn_wanted_ = true;
  if (in_input_ || std::exchange(turn_posted_, true)) return;
  try {
    asio::post(context_.loop, [self = shared_from_this()] { self->take_turn(); });
  } catch (const std::bad_alloc&) {
    // Setting a deadline needs no memory.
    context_.deadlines.set(delayed_turn_, Timer::Clock::duration::zero());
  }
}

void Pool::take_turn() {
  turn_posted_ = false;
  if (turn_wanted_) end_turn();
}

void Pool::input_begins() { in_input_ = true; }

void Pool::input_ends() {
  in_input_ = false;
  if (turn_wanted_) end_turn();
}

void Pool::end_turn() {
  if constexpr (kCheckAdmission) admission_.check();
  turn_wanted_ = false;
  post_held_jobs();
  grab();
  flush_links();
  metrics_->set_held(admission_.held());
  if (!draining_)
    metrics_->set_idle(std::max(settings_.worker_count - running() + admission_.held_without_slots(), 0));
  while (spare_jobs_.size() > kSpareJobs) spare_jobs_.pop_front_and_dispose(std::default_delete<Job>());
  sweep();
  if (draining_) report_drain();
}

void Pool::post_held_jobs() {
  while (Admission::Ticket* ticket = admission_.next_to_post()) {
    Job& job = static_cast<Job&>(*ticket);
    job.post(static_cast<Backend&>(job.backend()));
  }
}

void Pool::grab() {
  if (!admission_.has_free_slots()) return;
  int wanted = 0;
  bool wake_grab = false;
  for (const auto& lane : lanes_) {
    for (const auto& link : lane->links()) {
      const int grabs = link->grabs_wanted();
      const bool sleeps = link->retiring() && link->wants_wake_grab();
      link->wants(grabs, sleeps);
      wanted |= grabs;
      wake_grab |= sleeps;
    }
  }
  if (wanted == 0 && !wake_grab) return;
  grants_.clear();
  if (wake_grab) admission_.wake_draining_links(grants_);
  const auto now = admission_.has_rate() ? Admission::Clock::now() : Admission::Clock::time_point{};
  const auto wake_at = admission_.share_out(now, grants_);
  if (wake_at) context_.deadlines.set(rate_wait_, *wake_at);
  for (const auto& grant : grants_) {
    auto& link = static_cast<PoolLink&>(*grant.link);
    if (grant.wake_grab) {
      link.wake_grab();
    } else {
      link.grab(grant.grabs);
    }
    if (!link.is_linked()) to_flush_.push_back(link);
  }
}

void Pool::flush_links() {
  while (!to_flush_.empty()) {
    PoolLink& link = to_flush_.front();
    to_flush_.pop_front();
    link.flush();
  }
}

void Pool::report_drain() {
  if (drained_ || running() > 0) return;
  drained_ =
      std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->links().empty(); });
  if (drained_) {
    owner_.pool_drained(*this);
  } else {
    owner_.pool_at_rest(*this);
  }
}

// Destroys endpoints, lanes and functions that are not used any more.
void Pool::sweep() {
  for_each_endpoint([](PoolEndpoint& endpoint) { endpoint.sweep(); });
  if (withdrawing_) forget_withdrawn();
  if (!function_endpoints_.empty()) {
    std::erase_if(function_endpoints_,
                  [](const auto& endpoint) { return endpoint->retired() && endpoint->unused(); });
  }
  std::erase_if(lanes_, [](const auto& lane) { return lane->empty(); });
}

void Pool::forget_withdrawn() {
  if (std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->has_retiring_links(); }))
    return;
  std::erase_if(functions_, [&](const auto& entry) {
    const Function& function = entry.second;
    if (!function.withdrawn || function.permits.running() > 0) return false;
    for_each_endpoint([&](PoolEndpoint& endpoint) { endpoint.forget(&function); });
    metrics_->forget(function.name);
    return true;
  });
  withdrawing_ = std::any_of(functions_.begin(), functions_.end(),
                             [](const auto& entry) { return entry.second.withdrawn; });
  retire_endpoints();
}

}  // namespace driveshaft::dispatch
