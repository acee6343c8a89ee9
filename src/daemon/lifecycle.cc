// SPDX-License-Identifier: MIT
#include "daemon/lifecycle.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "base/exit_codes.h"
#include "log/log.h"
#include "text/counted.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
using log::kMainLog;
using Clock = std::chrono::steady_clock;

constexpr auto kReportEvery = 60s;  // how often the log says how many jobs still run after an upgrade
constexpr auto kLookForLinksEvery = 10ms;
constexpr auto kUntilTheyEnd = 1'000'000'000s;  // no limit: each job has its own max_running_time

std::string have_time(int running, std::chrono::milliseconds window) {
  if (running == 0) return "no job runs";
  return fmt::format("{} {} s to finish (--shutdown_timeout)",
                     text::counted(static_cast<std::uint64_t>(running), "running job", "has", "have"),
                     window / 1s);
}

}  // namespace

Lifecycle::Lifecycle(const Parts& parts, Program program, const std::optional<Inheritance>& inherited,
                     Hooks hooks)
    : parts_(parts),
      inherited_(inherited),
      hooks_(std::move(hooks)),
      successor_(parts.loop, std::move(program), static_cast<Successor::Owner&>(*this)),
      takeover_timer_(parts.loop),
      report_timer_(parts.loop),
      is_main_process_(!inherited) {}

void Lifecycle::begin() {
  if (inherited_) {
    predecessor_.emplace(parts_.loop, *inherited_, static_cast<Predecessor::Owner&>(*this));
    return;
  }
  hooks_.run_pools();
  hooks_.serve();
  asio::post(parts_.loop, [this] { parts_.service.ready(); });
}

void Lifecycle::reopen_logs(const std::string& by) {
  log::reopen_logs();
  kMainLog.info("{}: the log files are opened again", by);
  if (predecessor_) predecessor_->reopen_logs();
}

void Lifecycle::drain(const std::string& by, std::chrono::milliseconds window) {
  if (shutting_down_) {
    kMainLog.warn("{} during the shutdown: jobs that still run end now", by);
    if (predecessor_) predecessor_->drain(0s);
    predecessor_.reset();  // from now on this process does not wait for the old one
    parts_.supervisor.end_window();
    return end_if_done();
  }
  shutting_down_ = true;
  successor_.drain();
  const bool served = serves();
  if (!served) {
    say_now(inherited_->channel, {.kind = Message::Kind::failed, .text = "it shuts down: " + by});
    predecessor_.reset();
  }
  kMainLog.info("{}: no more jobs are taken; {}", by, have_time(parts_.supervisor.running_jobs(), window));
  if (predecessor_) predecessor_->drain(window);
  if (handed_over_) return parts_.supervisor.drain(window, {});
  hooks_.stop_following();
  if (served) parts_.service.stopping(window);
  parts_.supervisor.drain(window, [this] { jobs_are_done(); });
}

// --- what the old process of an upgrade does

void Lifecycle::upgrade(const std::string& by, Done done) {
  const auto refusal = successor_.upgrade().refusal(
      {.draining = parts_.supervisor.draining(), .taking_over = !serves(), .is_init = ::getpid() == 1});
  if (refusal) return done(false, *refusal);
  kMainLog.info("upgrade, {}: {} is started, to take over", by, successor_.program().path);
  log::roll_files(false);  // the new process rolls them from now on
  Inheritance inheritance;
  if (parts_.server) {
    const auto listeners = parts_.server->listeners();
    inheritance.exporter = listeners.exporter;
    inheritance.control = listeners.control;
  }
  if (parts_.pid_file) inheritance.pid_file = parts_.pid_file->descriptor();
  successor_.start(inheritance, [this, done = std::move(done)](bool taken_over, const std::string& text) {
    if (!taken_over) return done(false, shutting_down_ ? text : "this process goes on: " + text);
    const auto jobs = static_cast<std::uint64_t>(parts_.supervisor.running_jobs());
    done(true, fmt::format("{}; {} in this one", text, text::counted(jobs, "job", "finishes", "finish")));
  });
}

Message Lifecycle::let_go() {
  return {.kind = Message::Kind::go,
          .number = parts_.supervisor.connected_links(),
          .pauses = parts_.supervisor.pauses()};
}

void Lifecycle::hand_over(pid_t successor, const std::string& version) {
  handed_over_ = true;
  if (parts_.pid_file) parts_.pid_file->leave();
  hooks_.stop_following();
  kMainLog.info("upgrade: process {}, driveshaft {}, has taken over; this one takes no more jobs; {}",
                successor, version,
                text::counted(static_cast<std::uint64_t>(parts_.supervisor.running_jobs()), "running job",
                              "finishes here", "finish here"));
  server_is_quiet_ = !parts_.server;
  if (parts_.server) {
    parts_.server->retire([this] {
      asio::post(parts_.loop, [this] {
        server_is_quiet_ = true;
        end_if_done();
      });
    });
  }
  manager_knows_ = false;
  tell_manager_of_ = successor;
  if (is_main_process_) tell_manager();
  report_running_jobs();
  parts_.supervisor.drain(kUntilTheyEnd, [this] { jobs_are_done(); });
}

// The service manager accepts messages from the main process alone. So a process that has just taken over
// waits until it is the main process.
void Lifecycle::tell_manager() {
  parts_.service.hand_over(tell_manager_of_, [this] {
    manager_knows_ = true;
    successor_.is_main_process();
    end_if_done();
  });
}

void Lifecycle::upgrade_failed(const std::string& reason) {
  if (shutting_down_) return kMainLog.info("upgrade: ended: {}", reason);
  kMainLog.error("upgrade: failed, this process goes on: {}", reason);
  log::roll_files(true);
  log::reopen_logs();  // the new process may have rolled them in the meantime
}

void Lifecycle::drain_too(std::chrono::milliseconds window) {
  if (predecessor_) predecessor_->drain(window);
  if (window == 0s) {
    kMainLog.warn("the process that has taken over ends its jobs: jobs that still run here end now");
    return parts_.supervisor.end_window();
  }
  kMainLog.info("the process that has taken over shuts down; in this one {}",
                have_time(parts_.supervisor.running_jobs(), window));
  // Does not set shutting_down_: a signal that this process gets as well counts as the first one.
  parts_.supervisor.drain(window, {});
}

void Lifecycle::reopen_logs_too() { reopen_logs("SIGHUP of the process that has taken over"); }

void Lifecycle::successor_ended() {
  kMainLog.warn("the process that has taken over has ended; this one finishes its running jobs");
}

void Lifecycle::report_running_jobs() {
  report_timer_.expires_after(kReportEvery);
  report_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    const auto jobs = static_cast<std::uint64_t>(parts_.supervisor.running_jobs());
    kMainLog.info("upgrade: {} in this process", text::counted(jobs, "job", "still runs", "still run"));
    report_running_jobs();
  });
}

// --- what the new process of an upgrade does

void Lifecycle::take_over(Message go) {
  if (shutting_down_) return;
  parts_.supervisor.restore(std::move(go.pauses));
  hooks_.run_pools();
  take_over_when_connected(hooks_.takes_jobs() ? go.number : 0, Clock::now());
}

void Lifecycle::take_over_when_connected(long links_before, Clock::time_point since) {
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since);
  if (shutting_down_) return;
  if (is_connected(parts_.supervisor.connected_links(), links_before, waited)) return serve_now();
  takeover_timer_.expires_after(kLookForLinksEvery);
  takeover_timer_.async_wait([this, links_before, since](const boost::system::error_code& error) {
    if (!error) take_over_when_connected(links_before, since);
  });
}

void Lifecycle::serve_now() {
  if (parts_.pid_file) parts_.pid_file->take();
  hooks_.serve();
  predecessor_->serves();
  kMainLog.info("this process has taken over");
}

void Lifecycle::given_up() {
  if (shutting_down_) return;
  kMainLog.error("the old process has ended, or has ended the upgrade");
  parts_.service.stop();
  hooks_.end(base::kExitInternal);
}

void Lifecycle::became_main_process() {
  if (std::exchange(is_main_process_, true)) return;
  if (!shutting_down_) parts_.service.ready();
  if (handed_over_) tell_manager();
}

void Lifecycle::predecessor_ended() {
  kMainLog.info("the process before this one has ended");
  if (predecessor_->taking_over()) {  // the old process did not wait; this one is alone now
    takeover_timer_.cancel();
    serve_now();
  }
  became_main_process();
  asio::post(parts_.loop, [this] {
    predecessor_.reset();
    end_if_done();
  });
}

// --- the end

void Lifecycle::jobs_are_done() {
  jobs_are_done_ = true;
  report_timer_.cancel();
  const int ended = parts_.supervisor.ended_jobs();
  kMainLog.info("{}; {}",
                ended == 0 ? "all jobs are done"
                           : "the shutdown has ended " +
                                 text::counted(static_cast<std::uint64_t>(ended), "running job"),
                predecessor_ ? "the process before this one has not ended yet" : "the daemon ends");
  end_if_done();
}

// A service manager kills the remaining processes of a service when the main process ends, so the main
// process ends last.
void Lifecycle::end_if_done() {
  if (!jobs_are_done_ || !server_is_quiet_ || !manager_knows_ || predecessor_ || !hooks_.is_idle()) return;
  parts_.service.stop();
  hooks_.end(base::kExitOk);
}

}  // namespace driveshaft::daemon
