// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>

#include "base/deadlines.h"
#include "gearman/packet.h"
#include "net/address.h"
#include "net/asio.h"
#include "net/connector.h"

namespace driveshaft::gearman {

// Makes the connections to one gearmand for a link, one at a time. Its name is looked up anew each time. On
// the loop's thread; whoever waits for dial() keeps it.
class Dialer final : private base::Deadline {
 public:
  // `tls`: null for plain text. `dead_after`: unacknowledged data this old, or an idle peer silent to the
  // kernel's probes about as long, makes the kernel give a connection up.
  using Dialled = base::Result<net::Stream, LinkError>;

  Dialer(net::Resolver& resolver, base::DeadlineWheel& deadlines, const net::Address& server,
         std::shared_ptr<net::TlsClient> tls, std::chrono::milliseconds dead_after);

  // One attempt, bounded in time, TLS included.
  asio::awaitable<Dialled> dial();
  // Ends the attempt under way, if any.
  void cancel();

 private:
  void on_deadline() override;
  void finish(Dialled result);
  void set_options(net::Stream::Socket& socket) const;

  // Constant after construction.
  base::DeadlineWheel& deadlines_;
  const std::chrono::milliseconds dead_after_;

  net::Connector connector_;
  std::shared_ptr<net::Connector::Attempt> attempt_;
  std::function<void(Dialled)> done_;  // of the attempt under way
};

}  // namespace driveshaft::gearman
