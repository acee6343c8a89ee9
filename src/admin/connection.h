// SPDX-License-Identifier: MIT
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <cstddef>
#include <utility>

#include "admin/access.h"
#include "admin/answers.h"
#include "admin/clients.h"
#include "admin/events.h"
#include "admin/limits.h"
#include "admin/pending_actions.h"
#include "admin/response.h"
#include "admin/wrong_tokens.h"
#include "monitor/monitor.h"
#include "net/asio.h"
#include "net/tls_server.h"

namespace driveshaft::admin {

// What all connections to an admin server have in common. Used on the admin thread; it outlives the
// connections.
struct Serving {
  Serving(asio::io_context& loop, monitor::Monitor& watching, Sources sources, AccessRules access,
          const Limits& bounds)
      : io(loop),
        monitor(watching),
        answers(loop, watching, std::move(sources)),
        rules(std::move(access)),
        limits(bounds) {}

  asio::io_context& io;
  monitor::Monitor& monitor;
  Answers answers;
  AccessRules rules;  // the tokens change with their files
  const Limits limits;
  PendingActions pending_actions;  // any thread
  Waits::Streams streams;          // of clients that listen to events
  std::size_t busy = 0;  // connections with a request that is not answered yet; new connections count as such
  bool retiring = false;  // another process has taken over, so each connection ends with its next answer
  WrongTokens wrong_tokens;
  std::chrono::steady_clock::time_point host_noted{};  // when an unknown host was last logged
};

// One connection of a client, from its first byte to its last: its requests are read and answered one after
// the other. Used on the admin thread.
class Connection {
 public:
  // `tls`: null for plain text. `clients`: those of the same listening socket; they outlive this object.
  Connection(Stream::Socket socket, net::TlsSession tls, Clients& clients, Serving& serving);

  // Returns when the connection may be closed. This object outlives the coroutine. `unanswered` counts in
  // Serving::busy.
  asio::awaitable<void> serve(ScopedCount unanswered);

 private:
  // Both return whether the connection can be used for another request.
  asio::awaitable<bool> answer_one();
  asio::awaitable<bool> send(Response response, bool head);
  // Makes the answer to a refused request.
  asio::awaitable<Reply> turn_away(Refusal refusal);
  asio::awaitable<void> send_events(bool head);
  asio::awaitable<void> drop_the_rest();
  asio::ip::address client();  // 0.0.0.0 if the client has gone

  Serving& serving_;
  Clients& clients_;
  Stream stream_;
  boost::beast::flat_buffer buffer_;
};

}  // namespace driveshaft::admin
