// SPDX-License-Identifier: MIT
#include "daemon/daemon.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <span>

#include "admin/server.h"
#include "base/exit_codes.h"
#include "daemon/check.h"
#include "daemon/control.h"
#include "daemon/daemonize.h"
#include "daemon/exporter.h"
#include "daemon/file_limit.h"
#include "daemon/jobs_file.h"
#include "daemon/lifecycle.h"
#include "daemon/pid_file.h"
#include "daemon/privileges.h"
#include "daemon/readiness.h"
#include "daemon/service.h"
#include "dispatch/supervisor.h"
#include "log/log.h"
#include "log/loss.h"
#include "log/writer.h"
#include "net/descriptors.h"
#include "net/tls.h"
#include "text/counted.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
using log::kMainLog;
using Clock = std::chrono::steady_clock;

constexpr auto kBeatEvery = 1s;
constexpr auto kLoopStuckAfter = 10s;
constexpr std::ptrdiff_t kShownErrors = 20;  // of the errors of a rejected jobs file; the log has all of them
constexpr auto kFlushBeforeReady = 2s;
// The name by which gearmand lists the connections of this daemon. Spaces are not allowed; at most 127 bytes.
std::string client_id() { return fmt::format("driveshaft/{}/{}", host_name(), ::getpid()); }

// Keeps the memory of big jobs in this process, so that it is used again. By default the allocator returns
// each block of over 128 kB to the kernel, and getting new pages, which the kernel clears, costs more than
// the job.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
}

// The signals that await_signals() handles.
constexpr std::array kHandledSignals{SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

void mask_signals(int how, std::span<const int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  ::pthread_sigmask(how, &set, nullptr);
}

// The pid file is written early, so a SIGHUP or SIGUSR2 may come before the daemon can handle it. It is
// blocked until then. Other signals end the process, which has done nothing yet.
void hold_signals_at_start() { mask_signals(SIG_BLOCK, std::array{SIGHUP, SIGUSR2}); }

// When Asio's handlers are gone, a signal would end the process in the middle of its last log lines, with the
// signal as its status. So signals are blocked from here on; the rest of the exit takes a limited time
// anyway.
void ignore_signals_at_end() { mask_signals(SIG_BLOCK, kHandledSignals); }

// Tells whether the loop works, and measures how late its timer is. The loop's thread calls beat(), the admin
// thread calls health().
class Heartbeat {
 public:
  Heartbeat(asio::io_context& loop, metrics::Registry& metrics) : timer_(loop), metrics_(metrics) { beat(); }
  void stop() { timer_.cancel(); }

  admin::Health health() const {
    const auto age = Clock::now() - Clock::time_point(Clock::duration(beat_.load(std::memory_order_relaxed)));
    if (age < kLoopStuckAfter) return {true, "the loop turns"};
    return {false, fmt::format("the event loop has not worked for {} s", age / 1s)};
  }

 private:
  void beat() {
    beat_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    timer_.expires_after(kBeatEvery);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      metrics_.loop_was_late(Clock::now() - timer_.expiry());
      beat();
    });
  }

  asio::steady_timer timer_;
  metrics::Registry& metrics_;
  std::atomic<Clock::rep> beat_{};
};

// The loop, and all objects that its thread uses.
class Daemon {
 public:
  // All parameters outlive this object. `pid_file` may be null. `inherited` is nothing unless another process
  // hands over to this one.
  Daemon(const Options& options, const Program& program, PidFile* pid_file,
         const std::optional<Inheritance>& inherited)
      : options_(options),
        inherited_(inherited),
        context_{.loop = loop_,
                 .deadlines = deadlines_,
                 .resolver = resolver_,
                 .servers = servers_,
                 .tls = tls_,
                 .metrics = metrics_,
                 .decoder = {},
                 .max_running_time = options.max_running_time,
                 .loop_timeout = options.loop_timeout,
                 .client_id = client_id(),
                 .host = host_name()},
        lifecycle_({loop_, supervisor_, service_, server_, pid_file}, program, inherited, hooks()) {}

  // Does everything that needs privileges, and everything that may fail.
  void prepare() {
    config_ = jobs_file_.load();
    may_open_ = raise_open_file_limit();
    if (options_.exporter || !options_.control_socket.empty()) {
      server_.emplace(options_.exporter, sources(), watched(), exporter_settings(options_), exporter_limits(),
                      inherited_listeners());
    }
    if (server_) server_->obey(control());
    if (!options_.control_socket.empty()) server_->listen_for_control(options_.control_socket);
    warn_of_too_few_files(config_);
  }

  // Starts the daemon's work. The process must have become its user before.
  void start() {
    if (!options_.user.empty()) jobs_file_.check_files_as(options_.user);
    if (server_) server_->read_files();
    metrics_.config_loaded();
    await_signals();
    lifecycle_.begin();
  }

  int run() {
    loop_.run();
    ignore_signals_at_end();
    if (server_) server_->stop();
    return exit_code_;
  }

 private:
  Lifecycle::Hooks hooks() {
    return {.takes_jobs =
                [this] {
                  return std::any_of(config_.pools.begin(), config_.pools.end(),
                                     [](const auto& pool) { return pool.worker_count > 0 && !pool.paused; });
                },
            .run_pools = [this] { put_in_force(config_); },
            .serve = [this] { serve(); },
            .stop_following =
                [this] {
                  jobs_file_.stop();
                  control_.stop("it has ended, as this process takes no more jobs");
                },
            .is_idle = [this] { return control_.is_idle(); },
            .end =
                [this](int exit_code) {
                  exit_code_ = exit_code;
                  heartbeat_.stop();
                  loop_.stop();
                }};
  }

  void serve() {
    jobs_file_.watch(
        [this](const config::Config& config) {
          warn_of_too_few_files(config);
          put_in_force(config);
        },
        [this](const Reload& reload) {
          const auto& errors = reload.errors;
          metrics_.config_reloaded(errors.empty());
          config_state_.errors.assign(
              errors.begin(), errors.begin() + std::min<std::ptrdiff_t>(std::ssize(errors), kShownErrors));
          config_state_.rejected_at = std::chrono::system_clock::now();
        });
    if (!server_) return;
    server_->start();
    if (const auto warning = one_token_for_all(options_); !warning.empty()) kMainLog.warn("{}", warning);
    if (options_.exporter) {
      const auto url = fmt::format("{}://{}", options_.exporter_certificate_file.empty() ? "http" : "https",
                                   net::to_string(server_->address()));
      kMainLog.info("metrics on {0}/metrics, page on {0}/", url);
    }
  }

  admin::Listeners inherited_listeners() const {
    if (!inherited_) return {};
    return {.exporter = inherited_->exporter, .control = inherited_->control};
  }

  admin::Sources sources() {
    return {.metrics = [this] { return metrics_text(); },
            .health = [this] { return heartbeat_.health(); },
            .ready =
                [this] {
                  return readiness(supervisor_.draining(), supervisor_.wanted(),
                                   supervisor_.connected_links());
                }};
  }

  void put_in_force(const config::Config& config) {
    supervisor_.apply(config);
    config_state_.in_force = std::make_shared<const config::Config>(config);
    config_state_.loaded_at = std::chrono::system_clock::now();
  }

  monitor::Watched watched() {
    return {.about = {.version = DRIVESHAFT_VERSION,
                      .host = host_name(),
                      .pid = ::getpid(),
                      .started_at = std::chrono::system_clock::now(),
                      .client_id = context_.client_id,
                      .jobs_file = options_.jobs_config,
                      .exporter = exporter_argument(options_),
                      .takes_actions = !options_.admin_token_file.empty(),
                      .max_running_time = options_.max_running_time},
            .snapshot =
                [this](dispatch::Detail detail, std::function<void(monitor::SnapshotPtr)> done) {
                  asio::post(loop_, [this, detail, done = std::move(done)] { done(snapshot(detail)); });
                },
            .metrics = metrics_,
            .tls = tls_};
  }

  monitor::SnapshotPtr snapshot(dispatch::Detail detail) const {
    auto config = config_state_;
    config.unanswered_since = jobs_file_.unanswered_since();
    return std::make_shared<const monitor::Snapshot>(
        monitor::Snapshot{.at = Clock::now(),
                          .wall = std::chrono::system_clock::now(),
                          .draining = supervisor_.draining(),
                          .config = std::move(config),
                          .process = process(),
                          .pools = supervisor_.status(detail)});
  }

  // The certificates that this daemon shows to servers and to clients of the exporter. Any thread.
  std::vector<net::Certificate> certificates() const {
    auto all = tls_.certificates();
    if (auto own = server_ ? server_->certificate() : std::nullopt) all.push_back(std::move(*own));
    return all;
  }

  monitor::Process process() const {
    return {.may_open = may_open_,
            .needs_open = needs_open_,
            .lacked_descriptors = net::last_lack_of_descriptors(),
            .log = log::loss(),
            .certificates = certificates()};
  }

  // Limits the clients of the exporter to a share of the files that may be open.
  admin::Limits exporter_limits() const {
    admin::Limits limits;
    limits.connections = std::clamp<std::size_t>(may_open_ / 8, 4, limits.connections);
    limits.streams = limits.connections / 2;
    return limits;
  }

  std::string metrics_text() {
    metrics_.set_log_lines_lost(log::loss().lines);
    metrics::Registry::CertificateEnds ends;
    for (const auto& certificate : certificates()) ends.emplace(certificate.file, certificate.ends);
    metrics_.set_certificates(ends);
    return metrics_.text();
  }

  void warn_of_too_few_files(const config::Config& config) {
    needs_open_ = files_needed(config);
    if (needs_open_ <= may_open_) return;
    kMainLog.warn("{}", too_few_files(needs_open_, may_open_));
  }

  // Passes actions to the loop's thread.
  admin::Act control() {
    return [this](admin::Action action, std::string by, std::function<void(admin::ActionResult)> done) {
      asio::post(loop_, [this, action = std::move(action), by = std::move(by), done = std::move(done)] {
        control_.act(action, by, done);
      });
    };
  }

  std::string figures() const {
    const std::string slots =
        supervisor_.draining()
            ? "draining, " + text::counted(static_cast<std::uint64_t>(supervisor_.running_jobs()), "job",
                                           "still runs", "still run")
            : fmt::format("{} of {} slots busy", supervisor_.running_jobs(), supervisor_.slots());
    const auto links = static_cast<std::uint64_t>(supervisor_.connected_links());
    return fmt::format("{}, {} to gearmand, {} done", slots, text::counted(links, "connection"),
                       text::counted(context_.jobs_done, "job"));
  }

  void await_signals() {
    for (const int signal : kHandledSignals) signals_.add(signal);
    mask_signals(SIG_UNBLOCK, kHandledSignals);
    await_signal();
  }

  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      on_signal(signal);
      if (loop_.stopped()) return;
      await_signal();
    });
  }

  void on_signal(int signal) {
    if (signal == SIGHUP) {
      lifecycle_.reopen_logs("SIGHUP");
      if (supervisor_.draining() || !lifecycle_.serves()) return;
      service_.reloading();
      jobs_file_.reload([this](const auto&) { service_.ready(); });
      return;
    }
    if (signal == SIGUSR2) {
      return lifecycle_.upgrade("SIGUSR2", [](bool taken_over, const std::string& text) {
        if (!taken_over) kMainLog.warn("SIGUSR2: not done: {}", text);
      });
    }
    lifecycle_.drain(signal == SIGUSR1  ? "SIGUSR1"
                     : signal == SIGINT ? "SIGINT"
                                        : "SIGTERM",
                     drain_window(options_, /*patient=*/signal == SIGUSR1));
  }

  const Options& options_;
  const std::optional<Inheritance> inherited_;
  asio::io_context loop_{1};
  base::DeadlineWheel deadlines_{loop_};
  net::Resolver resolver_{loop_};
  gearman::Servers servers_{deadlines_};
  net::TlsClients tls_;
  metrics::Registry metrics_{DRIVESHAFT_VERSION};
  dispatch::Context context_;
  dispatch::Supervisor supervisor_{context_};
  JobsFile jobs_file_{loop_, options_.jobs_config};
  config::Config config_;
  monitor::ConfigState config_state_;
  Control control_{
      {loop_, deadlines_, supervisor_, jobs_file_, config_state_, metrics_},
      {.drain =
           [this](const std::string& by) {
             lifecycle_.drain("control, " + by, drain_window(options_, /*patient=*/false));
           },
       .upgrade = [this](const std::string& by,
                         Lifecycle::Done done) { lifecycle_.upgrade("control, " + by, std::move(done)); }},
      [this] { lifecycle_.end_if_done(); }};
  asio::signal_set signals_{loop_};
  Heartbeat heartbeat_{loop_, metrics_};
  Service service_{loop_, [this] { return figures(); }};
  Lifecycle lifecycle_;
  int exit_code_ = base::kExitOk;
  std::uint64_t may_open_ = 0;    // files
  std::uint64_t needs_open_ = 0;  // files, with the jobs file in force
  // Its thread uses the members above. run() ends the thread; after an exception this is destroyed first.
  std::optional<admin::Server> server_;
};

int run(const Options& options, const Program& program, const std::optional<Inheritance>& inherited) {
  std::signal(SIGXFSZ, SIG_IGN);  // a log file at its size limit loses lines, as on a full disk
  hold_signals_at_start();
  net::keep_openssl_at_exit();
  open_standard_files();
  keep_freed_memory();

  std::optional<Background> background;
  // The new process of an upgrade is in the background already.
  if (options.daemonize && !inherited) background.emplace();
  if (options.log_config.empty()) {
    log::log_to_console(options.log_format, options.log_level);
  } else {
    log::configure_logging(options.log_config,
                           inherited ? log::Opening::appending : log::Opening::as_configured);
  }
  log::Writer log_writer;
  std::optional<PidFile> pid_file;
  if (inherited && inherited->pid_file >= 0) {
    pid_file.emplace(options.pid_file, inherited->pid_file);
  } else if (!options.pid_file.empty()) {
    pid_file.emplace(options.pid_file);
  }
  kMainLog.info("driveshaft {} starts, pid {}", DRIVESHAFT_VERSION, ::getpid());

  Daemon daemon(options, program, pid_file ? &*pid_file : nullptr, inherited);
  daemon.prepare();
  if (!options.user.empty()) {
    const User user = find_user(options.user);
    if (pid_file) pid_file->give_to(user.uid, user.gid);
    for (const auto& file : log::log_files()) give_log_file(file, user);
    if (!options.control_socket.empty() && !inherited &&
        ::lchown(options.control_socket.c_str(), user.uid, user.gid) != 0) {
      throw base::StartupError(base::kExitUser,
                               fmt::format("cannot give {} to the user {}: {}", options.control_socket,
                                           options.user, std::generic_category().message(errno)));
    }
    become(user);
  }
  daemon.start();
  if (background) {
    if (options.log_config.empty()) {
      kMainLog.warn("in the background nothing more is logged: name files with --logconfig");
    }
    // For the lines that belong on the terminal, which the process leaves now.
    log_writer.flush(kFlushBeforeReady);
    background->notify_ready();
  }
  try {
    return daemon.run();
  } catch (const std::exception& bug) {  // main() writes it to stderr, which may be closed
    kMainLog.error("internal error: {}; the program ends", bug.what());
    throw;
  }
}

}  // namespace

int run(const Options& options, const Program& program) {
  if (options.check) return check(options);
  const auto inherited = take_inheritance();
  try {
    return run(options, program, inherited);
  } catch (const base::StartupError& error) {
    // Tells the old process of an upgrade why this one does not start.
    if (inherited) say_now(inherited->channel, {.kind = Message::Kind::failed, .text = error.what()});
    throw;
  }
}

}  // namespace driveshaft::daemon
