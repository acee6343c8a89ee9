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

// Tells the service manager, as sd_notify(3) describes, when the daemon serves, reloads and stops, sends it
// one line of live figures, and feeds its watchdog if there is one. Without a service manager nothing
// happens. Used on the loop's thread only: a loop that is stuck must not feed the watchdog.
//
// libsystemd is not used, because it waits for a manager that does not read, and that must not delay a job.
// Sending here never blocks. A message that is lost is sent again with the next line of figures.
class Service {
 public:
  // Reads the environment variables NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. `figures` makes the line
  // that `systemctl status` shows. `loop` outlives this object.
  Service(asio::io_context& loop, std::function<std::string()> figures);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // The daemon serves. Call it at the start, and again when a reload is done, after reloading().
  void ready();
  void reloading();
  // The daemon drains for `window` at most. The manager is asked to wait as long. While the drain lasts it is
  // asked again and again to wait for the rest of the time, because it may have missed a message.
  void stopping(std::chrono::microseconds window);
  // Tells the manager that `successor` is the main process of the service from now on, and tells it nothing
  // more. Calls `told` when the manager has the message.
  void hand_over(pid_t successor, std::function<void()> told);
  // Stops the timers, so that the loop can end.
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
  socklen_t manager_size_ = 0;                  // 0: there is no service manager
  const std::chrono::microseconds feed_every_;  // 0: there is no watchdog
  const std::function<std::string()> figures_;

  // Loop state.
  int socket_ = -1;  // -1: there is no manager, or nothing is told to it any more
  asio::steady_timer figures_timer_;
  asio::steady_timer watchdog_timer_;
  asio::steady_timer retry_timer_;
  std::string state_;                                   // last state that was told; empty: not ready yet
  std::chrono::steady_clock::time_point drained_by_{};  // set while the daemon drains
  bool warned_ = false;
};

}  // namespace driveshaft::daemon
