// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <chrono>
#include <functional>
#include <string>

#include "net/asio.h"

namespace driveshaft::daemon {

// Notifies a service manager that asks for it, as sd_notify(3) describes: when the daemon serves, reloads and
// stops, with one line of live figures, and for the watchdog if there is one. Without such a manager nothing
// happens. The loop's thread only: a loop that is stuck must not feed the watchdog.
//
// The protocol is implemented here because libsystemd waits for a manager that does not read, and this must
// not delay a job. A notification that is lost is sent again with the next line of figures.
class Service {
 public:
  // Asks the environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. `figures` makes the line that a person
  // reads in `systemctl status`.
  Service(asio::io_context& loop, std::function<std::string()> figures);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // The daemon serves: once it does, and again after each reloading().
  void ready();
  void reloading();
  // It drains, for that long at most. The manager's own patience is extended by as much, and again and again
  // while the drain lasts, by what is left: the manager may have missed it.
  void stopping(std::chrono::microseconds window);
  // Another process is the service's from now on; calls `told` once the manager has been told, and tells it
  // nothing any more. Until then the manager takes this process for the service.
  void hand_over(pid_t successor, std::function<void()> told);
  // No more timers; nothing is told any more.
  void stop();

 private:
  void notify(const std::string& lines);
  void notify_state();
  void notify_figures();
  void ask_for_time();
  void feed_watchdog();
  void tell_of_successor(pid_t successor, std::function<void()> told);

  // Constant after construction.
  sockaddr_un manager_{};
  socklen_t manager_size_ = 0;                  // 0: there is no manager
  const std::chrono::microseconds feed_every_;  // 0: there is no watchdog
  const std::function<std::string()> figures_;

  // Loop state.
  int socket_ = -1;  // there is no manager, or it is told nothing any more
  asio::steady_timer figures_timer_;
  asio::steady_timer watchdog_timer_;
  asio::steady_timer retry_timer_;
  std::string state_;                                   // empty: not ready yet
  std::chrono::steady_clock::time_point drained_by_{};  // while it drains
  bool warned_ = false;
};

}  // namespace driveshaft::daemon
