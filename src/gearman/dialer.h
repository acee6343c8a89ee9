// SPDX-License-Identifier: MIT
#pragma once

#include "base/address.h"
#include "base/asio.h"
#include "base/deadlines.h"
#include "gearman/packet.h"

namespace driveshaft::gearman {

// Makes connections to one gearmand. Its name is looked up anew each time. On the loop's thread; whoever
// waits for dial() keeps it.
class Dialer final : private base::Deadline {
 public:
  // `dead_after`: unacknowledged data this old, or an idle peer silent to the kernel's probes about as long,
  // makes the kernel give a connection up.
  Dialer(asio::io_context& loop, base::DeadlineWheel& deadlines, base::Address server,
         std::chrono::milliseconds dead_after);

  // One attempt, bounded in time. The socket does not block.
  asio::awaitable<base::Result<asio::ip::tcp::socket, LinkError>> dial();
  // Ends the attempt under way.
  void cancel();

 private:
  void on_deadline() override;
  void set_options();

  // Constant after construction.
  base::DeadlineWheel& deadlines_;
  const base::Address server_;
  const std::chrono::milliseconds dead_after_;

  asio::ip::tcp::resolver resolver_;
  asio::ip::tcp::socket socket_;
  bool cancelled_ = false;
  bool timed_out_ = false;
};

}  // namespace driveshaft::gearman
