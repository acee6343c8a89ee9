// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

#include "daemon/channel.h"
#include "net/asio.h"

namespace driveshaft::daemon {

// What an upgrade has handed over to this process; nothing if it was started otherwise. Its variable is
// removed from the environment, and the descriptors are not inherited any further. Call it once, first of
// all. Throws base::StartupError if the variable is not an upgrade's.
std::optional<Inheritance> take_inheritance();

// The process that hands over to this one, as this one sees it. On the loop's thread.
class Predecessor {
 public:
  // What of it happens to this process.
  class Owner {
   public:
    // Take over; then call serves().
    virtual void take_over(Message go) = 0;
    // It has ended, or has given this process up, before anything was taken over.
    virtual void given_up() = 0;
    // The service manager takes this process for the service's from now on.
    virtual void became_main_process() = 0;
    // It has ended, after take_over().
    virtual void predecessor_ended() = 0;

   protected:
    ~Owner() = default;
  };

  // Tells it that this process is ready. Channel and stderr_before are this object's from now on.
  Predecessor(asio::io_context& loop, const Inheritance& inheritance, Owner& owner);

  // Whether this process has not taken over yet.
  bool taking_over() const { return state_ != State::serving; }
  // This process has taken over: stderr is what it was for the other one.
  void serves();
  // This process shuts down, and the service with it.
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
