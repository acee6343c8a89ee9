// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "daemon/handover.h"
#include "net/asio.h"

namespace driveshaft::daemon {

// The socket between the two processes of an upgrade. On the loop's thread. After close(), and after the
// object's end, nothing is called.
class Channel {
 public:
  using OnMessage = std::function<void(const Message& message)>;
  using OnEnd = std::function<void()>;

  // `descriptor` is this object's from now on. `on_end` is called once, when the other process has closed its
  // end or ended, after all that it said.
  Channel(asio::io_context& loop, int descriptor, OnMessage on_message, OnEnd on_end);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // What cannot be sent is dropped: the other process has ended then, and `on_end` says so.
  void say(const Message& message);
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// For a process that is about to end: says it at once, waiting if need be.
void say_now(int descriptor, const Message& message);

}  // namespace driveshaft::daemon
