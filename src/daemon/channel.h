// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "daemon/handover.h"
#include "net/asio.h"

namespace driveshaft::daemon {

// The socket for messages between the two processes of an upgrade. Used on the loop's thread. After close(),
// or after this object is destroyed, no callback is called.
class Channel {
 public:
  using OnMessage = std::function<void(const Message& message)>;
  using OnEnd = std::function<void()>;

  // This object owns `descriptor`, the socket's. `loop` outlives it. When the other process has closed its
  // end, or has ended, `on_end` is called once, after all messages of that process have been passed on.
  Channel(asio::io_context& loop, int descriptor, OnMessage on_message, OnEnd on_end);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Sends a message later, without blocking. A message that cannot be sent is dropped: then the other process
  // has ended, and `on_end` is called.
  void say(const Message& message);
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Sends a message before it returns; it may block. For a process that is about to end.
void say_now(int descriptor, const Message& message);

}  // namespace driveshaft::daemon
