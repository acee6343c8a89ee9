// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "daemon/channel.h"
#include "daemon/launch.h"
#include "daemon/line_relay.h"
#include "daemon/upgrade.h"
#include "net/asio.h"

namespace driveshaft::daemon {

// The process that takes over in an upgrade, as the one sees it that starts it. On the loop's thread.
class Successor {
 public:
  // What of it happens to the old process.
  class Owner {
   public:
    // What the new process has to know to take over.
    virtual Message let_go() = 0;
    virtual void hand_over(pid_t successor, const std::string& version) = 0;
    // The new process does not take over, and has ended.
    virtual void upgrade_failed(const std::string& reason) = 0;
    // Later: the new process shuts down, and the service with it; or the log files were rotated; or it is
    // gone.
    virtual void drain_too(std::chrono::milliseconds window) = 0;
    virtual void reopen_logs_too() = 0;
    virtual void successor_ended() = 0;

   protected:
    ~Owner() = default;
  };
  // Told which process has taken over, or why none has.
  using Done = std::function<void(bool taken_over, const std::string& text)>;

  Successor(asio::io_context& loop, Program program, Owner& owner);
  ~Successor();
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;

  const Upgrade& upgrade() const { return upgrade_; }
  const Program& program() const { return program_; }

  // Starts the program. `upgrade().refusal()` must have had no objection.
  void start(const Inheritance& inheritance, Done done);
  // The service manager knows of the new process.
  void is_main_process();
  // The old process shuts down: an upgrade that is under way ends.
  void drain();

 private:
  void on_message(const Message& message);
  void on_end();
  void relay_stderr();
  void read_stderr(bool all);
  bool write_stderr();
  void act(Upgrade::Action action, const std::string& text = {});
  void give_up(int signal);
  void answer(bool taken_over, const std::string& text);
  void close();

  asio::io_context& loop_;
  const Program program_;
  Owner& owner_;
  Upgrade upgrade_;
  Launched launched_;
  std::optional<Channel> channel_;
  asio::posix::stream_descriptor errors_;
  LineRelay stderr_;
  asio::steady_timer time_out_;
  asio::steady_timer relay_again_;
  Done done_;
};

}  // namespace driveshaft::daemon
