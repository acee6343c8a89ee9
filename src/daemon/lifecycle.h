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

// Decides when the process begins to serve and when it ends: alone, or as the new and later as the old
// process of an upgrade. Used on the loop's thread.
class Lifecycle final : Successor::Owner, Predecessor::Owner {
 public:
  // All parts outlive this object. Whether there is a server is settled when begin() is called. `pid_file`
  // may be null.
  struct Parts {
    asio::io_context& loop;
    dispatch::Supervisor& supervisor;
    Service& service;
    std::optional<admin::Server>& server;
    PidFile* pid_file;
  };
  // What the daemon does at each step. The functions are called on the loop's thread.
  struct Hooks {
    // Whether the jobs file has a pool that takes jobs, so that a gearmand is needed.
    std::function<bool()> takes_jobs;
    std::function<void()> run_pools;       // begin to take jobs
    std::function<void()> serve;           // begin to answer requests and to follow changes of the jobs file
    std::function<void()> stop_following;  // follow no more changes, and end long actions of operators
    std::function<bool()> is_idle;         // whether no long action of an operator is under way
    std::function<void(int exit_code)> end;
  };
  // Is told whether another process has taken over. The text says which process, or why none has.
  using Done = Successor::Done;

  // `inherited` is nothing unless another process hands over to this one.
  Lifecycle(const Parts& parts, Program program, const std::optional<Inheritance>& inherited, Hooks hooks);

  // Begins to serve. The new process of an upgrade first waits until the old process lets it, which may never
  // happen.
  void begin();
  // False: this is the new process of an upgrade, and has not taken over yet.
  bool serves() const { return !predecessor_ || !predecessor_->taking_over(); }

  // Shuts down this process and the other processes of the service. Running jobs may take `window` to finish.
  // `by` says what asked for it, such as a signal's name, for the log. A second call ends the jobs that still
  // run at once.
  void drain(const std::string& by, std::chrono::milliseconds window);
  // Starts another process that takes over.
  void upgrade(const std::string& by, Done done);
  void reopen_logs(const std::string& by);
  // Ends the process after a drain, unless something is still under way.
  void end_if_done();

 private:
  // What the old process does when the new one tells it something.
  Message let_go() override;
  void hand_over(pid_t successor, const std::string& version) override;
  void upgrade_failed(const std::string& reason) override;
  void drain_too(std::chrono::milliseconds window) override;
  void reopen_logs_too() override;
  void successor_ended() override;
  void tell_manager();
  void report_running_jobs();

  // What the new process does when the old one tells it something.
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
  std::optional<Predecessor> predecessor_;  // set until the predecessor has ended
  asio::steady_timer takeover_timer_;
  asio::steady_timer report_timer_;
  bool shutting_down_ = false;   // a signal to this process, or an operator, asked for it
  bool handed_over_ = false;     // to the new process
  bool jobs_are_done_ = false;   // set after a drain
  bool server_is_quiet_ = true;  // false after handing over while requests wait for their answers
  bool is_main_process_;  // whether the service manager takes this process for the service's main process
  bool manager_knows_ = true;  // whether the service manager knows of the new process
  pid_t tell_manager_of_ = 0;
};

}  // namespace driveshaft::daemon
