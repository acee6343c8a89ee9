// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

#include "daemon/channel.h"
#include "net/asio.h"

namespace driveshaft::daemon {

// The descriptors that an upgrade has handed over to this process; nothing if it was started otherwise.
// Removes the variable from the environment, and marks the descriptors so that processes that this one starts
// do not inherit them. Call it once, before anything else. Throws base::StartupError if the variable was not
// set by an upgrade.
std::optional<Inheritance> take_inheritance();

// The old process of an upgrade, as the new process sees it. Used on the loop's thread.
class Predecessor {
 public:
  // The part of the new process that is told what the old one does.
  class Owner {
   public:
    // This process shall take over, and then call serves(). `go` is the old process's message.
    virtual void take_over(Message go) = 0;
    // The old process has ended, or has ended the upgrade, before it let this one take over.
    virtual void given_up() = 0;
    // From now on the service manager takes this process for the service's main process.
    virtual void became_main_process() = 0;
    // The old process has ended, after take_over().
    virtual void predecessor_ended() = 0;

   protected:
    ~Owner() = default;
  };

  // Tells the old process that this one is ready. This object owns the channel and stderr_before of
  // `inheritance`. `owner` and `loop` outlive it.
  Predecessor(asio::io_context& loop, const Inheritance& inheritance, Owner& owner);

  // False once this process has taken over, see serves().
  bool taking_over() const { return state_ != State::serving; }
  // This process has taken over. Its stderr is that of the old process from now on.
  void serves();
  // This process and so the service shuts down: the old process has `window` to finish its jobs.
  void drain(std::chrono::milliseconds window);
  void reopen_logs();

 private:
  enum class State { waiting, going, serving };

  void on_message(const Message& message);
  void on_end();

  Owner& owner_;
  State state_ = State::waiting;
  int stderr_before_;
  Channel channel_;
};

}  // namespace driveshaft::daemon
