// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "admin/server.h"
#include "daemon/pid_file.h"
#include "daemon/predecessor.h"
#include "daemon/service.h"
#include "daemon/successor.h"
#include "dispatch/supervisor.h"
#include "net/asio.h"

namespace driveshaft::daemon {

// How the process comes to serve, and how it ends: by itself, or as the new and then as the old process of an
// upgrade. On the loop's thread.
class Lifecycle final : Successor::Owner, Predecessor::Owner {
 public:
  // All of them outlive this object. There is a server by begin(), or none; `pid_file` may be null.
  struct Parts {
    asio::io_context& loop;
    dispatch::Supervisor& supervisor;
    Service& service;
    std::optional<admin::Server>& server;
    PidFile* pid_file;
  };
  // What the daemon does when its time has come.
  struct Hooks {
    std::function<bool()> takes_jobs;      // whether the jobs file has a pool that needs a gearmand
    std::function<void()> run_pools;       // from now on jobs are taken
    std::function<void()> serve;           // requests are answered, and changes of the jobs file followed
    std::function<void()> stop_following;  // no more changes, and operators' actions that last end
    std::function<bool()> is_idle;         // whether no such action is under way
    std::function<void(int exit_code)> end;
  };
  // Told whether another process has taken over: which, or why none has.
  using Done = Successor::Done;

  // `inherited`: nothing, unless another process hands over to this one.
  Lifecycle(const Parts& parts, Program program, const std::optional<Inheritance>& inherited, Hooks hooks);

  // Serves; in an upgrade once the other process lets it, which may be never.
  void begin();
  // Whether it is not the new process of an upgrade that is still under way.
  bool serves() const { return !predecessor_ || !predecessor_->taking_over(); }

  // Shuts down, with all processes of the service: running jobs have `window`. `by`, as a signal's name, is
  // for the log. The second time what still runs ends at once.
  void drain(const std::string& by, std::chrono::milliseconds window);
  // Has another process take over.
  void upgrade(const std::string& by, Done done);
  void reopen_logs(const std::string& by);
  // Ends the process after a drain, unless something is still under way.
  void end_if_done();

 private:
  // The new process, seen from the old one.
  Message let_go() override;
  void hand_over(pid_t successor, const std::string& version) override;
  void upgrade_failed(const std::string& reason) override;
  void drain_too(std::chrono::milliseconds window) override;
  void reopen_logs_too() override;
  void successor_ended() override;
  void tell_manager();
  void report_running_jobs();

  // The old process, seen from the new one.
  void take_over(Message go) override;
  void given_up() override;
  void became_main_process() override;
  void predecessor_ended() override;
  void take_over_when_connected(long links_before, std::chrono::steady_clock::time_point since);
  void serve_now();

  void jobs_are_done();

  const Parts parts_;
  const std::optional<Inheritance> inherited_;
  const Hooks hooks_;
  Successor successor_;
  std::optional<Predecessor> predecessor_;  // as long as it lives
  asio::steady_timer takeover_timer_;
  asio::steady_timer report_timer_;
  bool shutting_down_ = false;   // by a signal to this process, or a command
  bool handed_over_ = false;     // to the successor
  bool jobs_are_done_ = false;   // after a drain
  bool server_is_quiet_ = true;  // once handed over: no request waits for its answer
  bool is_main_process_;         // for the service manager
  bool manager_knows_ = true;    // of the successor
  pid_t tell_manager_of_ = 0;
};

}  // namespace driveshaft::daemon
