// SPDX-License-Identifier: MIT
#include "daemon/daemon.h"

#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>

#include "admin/server.h"
#include "base/exit_codes.h"
#include "config/connection_count.h"
#include "daemon/daemonize.h"
#include "daemon/file_limit.h"
#include "daemon/jobs_file.h"
#include "daemon/pid_file.h"
#include "daemon/privileges.h"
#include "daemon/service.h"
#include "dispatch/supervisor.h"
#include "log/log.h"
#include "log/writer.h"
#include "net/tls.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
using log::kMainLog;
using Clock = std::chrono::steady_clock;

constexpr auto kBeatEvery = 1s;
constexpr auto kLoopStuckAfter = 10s;
constexpr std::ptrdiff_t kShownErrors = 20;  // of a rejected jobs file; the log has them all
constexpr auto kFlushBeforeReady = 2s;
// A job needs a connection to its endpoint, a pool those to gearmand; this many files are open besides.
constexpr std::uint64_t kOtherFiles = 64;

std::string host_name() {
  std::array<char, 65> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return host.data();
}

// As gearmand lists our connections: no spaces, at most 127 bytes.
std::string client_id() { return fmt::format("driveshaft/{}/{}", host_name(), ::getpid()); }

// The memory of big jobs shall be used again. By default the allocator returns each block of over 128 kB to
// the kernel, and new pages, which the kernel clears, cost more than the job.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
}

// A SIGHUP may come before the daemon can handle it, as the pid file is written early. It is held back until
// then.
void hold_hangups(bool hold) {
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  ::pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &hangup, nullptr);
}

std::uint64_t files_needed(const config::Config& config) {
  std::uint64_t needed = kOtherFiles;
  for (const auto& pool : config.pools) {
    needed +=
        static_cast<std::uint64_t>(pool.worker_count) + config::connection_count(pool, config.servers.size());
  }
  return needed;
}

// Knows whether the loop turns. The loop's thread calls beat(), the admin thread calls health().
class Heartbeat {
 public:
  explicit Heartbeat(asio::io_context& loop) : timer_(loop) { beat(); }
  void stop() { timer_.cancel(); }

  admin::Health health() const {
    const auto age = Clock::now() - Clock::time_point(Clock::duration(beat_.load(std::memory_order_relaxed)));
    if (age < kLoopStuckAfter) return {true, "the loop turns"};
    return {false, fmt::format("the loop has not turned for {} s", age / 1s)};
  }

 private:
  void beat() {
    beat_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    timer_.expires_after(kBeatEvery);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) beat();
    });
  }

  asio::steady_timer timer_;
  std::atomic<Clock::rep> beat_{};
};

// The loop and all that lives on its thread.
class Daemon {
 public:
  explicit Daemon(const Options& options)
      : options_(options),
        context_{.loop = loop_,
                 .deadlines = deadlines_,
                 .resolver = resolver_,
                 .servers = servers_,
                 .tls = tls_,
                 .metrics = metrics_,
                 .decoder = {},
                 .max_running_time = options.max_running_time,
                 .loop_timeout = options.loop_timeout,
                 // As gearmand lists our connections: no spaces, at most 127 bytes.
                 .client_id = client_id(),
                 .host = host_name()} {}

  // Does everything that needs privileges, and everything that may be refused.
  void prepare() {
    config_ = jobs_file_.load();
    if (options_.exporter) server_.emplace(*options_.exporter, sources(), watched());
    may_open_ = raise_open_file_limit();
    warn_of_too_few_files(config_);
  }

  // Runs as the user that the process has become.
  void start() {
    if (!options_.user.empty()) jobs_file_.check_files_as(options_.user);
    put_in_force(config_);
    metrics_.config_loaded();
    jobs_file_.watch(
        [this](const config::Config& config) {
          warn_of_too_few_files(config);
          put_in_force(config);
        },
        [this](const std::vector<std::string>& errors) {
          metrics_.config_reloaded(errors.empty());
          config_state_.errors.assign(
              errors.begin(), errors.begin() + std::min<std::ptrdiff_t>(std::ssize(errors), kShownErrors));
          config_state_.rejected_at = std::chrono::system_clock::now();
        });
    await_signals();
    if (server_) {
      server_->start();
      kMainLog.info("metrics on http://{}/metrics", net::to_string(server_->address()));
    }
    asio::post(loop_, [this] { service_.ready(); });
  }

  void run() { loop_.run(); }

 private:
  admin::Sources sources() {
    return {.metrics = [this] { return metrics_.text(); },
            .health = [this] { return heartbeat_.health(); },
            .ready = [this] { return readiness(); }};
  }

  admin::Health readiness() const {
    if (supervisor_.draining()) {
      return {false, fmt::format("draining, {} jobs still run", supervisor_.running_jobs())};
    }
    const int links = supervisor_.connected_links();
    return {links > 0,
            links > 0 ? fmt::format("{} connection(s) to gearmand", links) : "connected to no gearmand"};
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
                      .max_running_time = options_.max_running_time},
            .snapshot =
                [this](dispatch::Detail detail, std::function<void(monitor::SnapshotPtr)> done) {
                  asio::post(loop_, [this, detail, done = std::move(done)] { done(snapshot(detail)); });
                },
            .metrics = metrics_,
            .tls = tls_};
  }

  monitor::SnapshotPtr snapshot(dispatch::Detail detail) const {
    return std::make_shared<const monitor::Snapshot>(
        monitor::Snapshot{.at = Clock::now(),
                          .wall = std::chrono::system_clock::now(),
                          .draining = supervisor_.draining(),
                          .config = config_state_,
                          .pools = supervisor_.status(detail)});
  }

  void warn_of_too_few_files(const config::Config& config) {
    const auto needed = files_needed(config);
    if (needed <= may_open_) return;
    kMainLog.warn(
        "worker_counts and connections of the jobs file add up to {} files open at once, and only {} are "
        "allowed: raise the limit (LimitNOFILE= of a systemd unit, ulimit -Hn of a shell), or have fewer",
        needed, may_open_);
  }

  std::string figures() const {
    const std::string slots =
        supervisor_.draining()
            ? fmt::format("draining, {} jobs still run", supervisor_.running_jobs())
            : fmt::format("{} of {} slots busy", supervisor_.running_jobs(), supervisor_.slots());
    return fmt::format("{}, {} connections to gearmand, {} jobs done", slots, supervisor_.connected_links(),
                       context_.jobs_done);
  }

  void await_signals() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) signals_.add(signal);
    hold_hangups(false);
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
      log::reopen_logs();
      kMainLog.info("SIGHUP: log files are opened anew");
      if (supervisor_.draining()) return;
      service_.reloading();
      jobs_file_.reload([this] { service_.ready(); });
      return;
    }
    const char* name = signal == SIGUSR1 ? "SIGUSR1" : signal == SIGINT ? "SIGINT" : "SIGTERM";
    if (supervisor_.draining()) {
      kMainLog.warn("{} again: jobs that still run end now", name);
      return supervisor_.drain(0s, {});
    }
    const auto window = drain_window(options_, signal == SIGUSR1);
    kMainLog.info("{}: no more jobs are taken; {} running ones have {} s to finish", name,
                  supervisor_.running_jobs(), window / 1s);
    jobs_file_.stop();
    service_.stopping(window);
    supervisor_.drain(window, [this] {
      kMainLog.info("all jobs are done; goodbye");
      heartbeat_.stop();
      service_.stop();
      loop_.stop();
    });
  }

  const Options& options_;
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
  asio::signal_set signals_{loop_};
  Heartbeat heartbeat_{loop_};
  Service service_{loop_, [this] { return figures(); }};
  std::uint64_t may_open_ = 0;           // files
  std::optional<admin::Server> server_;  // destroyed first: its thread uses the members above
};

}  // namespace

int run(const Options& options) {
  if (options.check) return check_jobs_file(options.jobs_config);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a log file at its size limit loses lines, as on a full disk
  hold_hangups(true);
  net::keep_tls_to_the_end();
  open_standard_files();
  keep_freed_memory();

  std::optional<Background> background;
  if (options.daemonize) background.emplace();
  if (options.log_config.empty()) {
    log::log_to_console(options.log_format, options.log_level);
  } else {
    log::configure_logging(options.log_config);
  }
  log::Writer log_writer;
  std::optional<PidFile> pid_file;
  if (!options.pid_file.empty()) pid_file.emplace(options.pid_file);
  kMainLog.info("driveshaft {} starts, pid {}", DRIVESHAFT_VERSION, ::getpid());

  Daemon daemon(options);
  daemon.prepare();
  if (!options.user.empty()) {
    const User user = find_user(options.user);
    if (pid_file) pid_file->give_to(user.uid, user.gid);
    for (const auto& file : log::log_files()) give_log_file(file, user);
    become(user);
  }
  daemon.start();
  if (background) {
    if (options.log_config.empty()) {
      kMainLog.warn("in the background nothing more is logged: name files with --logconfig");
    }
    log_writer.flush(kFlushBeforeReady);  // what it says on the terminal it is about to leave
    background->notify_ready();
  }
  try {
    daemon.run();
  } catch (const std::exception& bug) {  // main() says it on stderr, which may be nowhere
    kMainLog.error("internal error: {}; the program ends", bug.what());
    throw;
  }
  return base::kExitOk;
}

}  // namespace driveshaft::daemon
