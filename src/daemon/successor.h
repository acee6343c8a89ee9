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

// The new process of an upgrade, as the old process sees it. Used on the loop's thread.
class Successor {
 public:
  // The part of the old process that is told what the new one does.
  class Owner {
   public:
    // The new process is ready. Returns the message that tells it to take over.
    virtual Message let_go() = 0;
    virtual void hand_over(pid_t successor, const std::string& version) = 0;
    // The new process does not take over: it has ended, or is told to end.
    virtual void upgrade_failed(const std::string& reason) = 0;
    // After hand_over(): the new process shuts down, and the service with it.
    virtual void drain_too(std::chrono::milliseconds window) = 0;
    virtual void reopen_logs_too() = 0;
    virtual void successor_ended() = 0;

   protected:
    ~Owner() = default;
  };
  // Is told whether a process has taken over. The text says which process, or why none has.
  using Done = std::function<void(bool taken_over, const std::string& text)>;

  Successor(asio::io_context& loop, Program program, Owner& owner);
  ~Successor();
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;

  const Upgrade& upgrade() const { return upgrade_; }
  const Program& program() const { return program_; }

  // Starts the program. upgrade().refusal() must have returned nothing. Calls `done` once, unless this object
  // is destroyed before.
  void start(const Inheritance& inheritance, Done done);
  // Tells the new process that it is the service's main process now.
  void is_main_process();
  // The old process shuts down, so an upgrade that is under way ends.
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
