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

// Opens the connections of a link to its gearmand, one at a time. The name of the server is looked up each
// time. On the loop's thread. The dialer must live until dial() has returned.
class Dialer final : private base::Deadline {
 public:
  // `tls`: null for plain text. `dead_after`: the kernel closes a connection when data has not been
  // acknowledged for that time, or when an idle peer has not answered keep-alive probes for about as long.
  using Dialled = base::Result<net::Stream, LinkError>;

  Dialer(net::Resolver& resolver, base::DeadlineWheel& deadlines, const net::Address& server,
         std::shared_ptr<net::TlsClient> tls, std::chrono::milliseconds dead_after);

  // Makes one attempt. It includes the TLS handshake and is limited in time. The error says why there is no
  // connection.
  asio::awaitable<Dialled> dial();
  // Ends the attempt in progress, if there is one.
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
  std::function<void(Dialled)> done_;  // of the attempt in progress
};

}  // namespace driveshaft::gearman
