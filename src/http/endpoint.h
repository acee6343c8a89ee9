// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/deadlines.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "net/asio.h"
#include "net/connector.h"
#include "net/uri.h"

namespace driveshaft::http {

// Where a pool's jobs go: a URI and the kept-alive connections to it, one for each request under way and
// those that wait for the next. Lives on the loop's thread; the owner keeps it until it is unused().
class Endpoint {
 public:
  struct Settings {
    net::Uri uri;
    std::chrono::milliseconds connect_timeout;  // name, TCP and TLS together
    std::size_t max_response_size;              // bytes of body
    std::shared_ptr<net::TlsClient> tls;        // for https alone; else null
    std::string document_root = {};             // for FastCGI alone; empty: the script's folder
  };

  Endpoint(net::Resolver& resolver, base::DeadlineWheel& deadlines, Settings settings);
  Endpoint(const Endpoint&) = delete;
  ~Endpoint();

  // Header lines, each with its CRLF, of every request from now on.
  void set_header_lines(std::string_view lines);

  // The head of a POST with a body of that type and length, but for the empty line that ends it: more header
  // lines may stand before that.
  void append_head(std::string& out, std::string_view content_type, std::size_t content_length) const;

  // Sends the request on an idle connection or a new one.
  void post(Exchange& exchange);
  // Sends it once more, on a new connection, after Failure::Kind::stale_connection: it is the same attempt.
  void send_again(Exchange& exchange);
  // Gives it up: finished() will not be called, and the connection that carries it is closed.
  void cancel(Exchange& exchange);

  // Reads more of a streamed response, after Exchange::piece() had enough of it. Never calls the exchange.
  static void read_on(Exchange& exchange) {
    if (exchange.connection_) exchange.connection_->read_on();
  }

  // Whether its request is on a connection: it no longer waits for one to be opened.
  static bool sent(const Exchange& exchange) {
    return exchange.connection_ && !exchange.connection_->opening();
  }

  using Probed = std::function<void(base::Result<void, Failure>)>;
  // Opens a connection, to see whether that can be done; it then waits for the next request. Calls `probed`
  // once, not from within, unless the endpoint is destroyed before. One at a time.
  void probe(Probed probed);
  // What is known of it from the last exchange that ended.
  struct Health {
    bool tried = false;
    bool down = false;  // it could not be reached
    base::Deadline::Clock::time_point since = base::Deadline::Clock::now();
    std::string why;  // it is down
    std::size_t connections = 0;
    std::size_t idle_connections = 0;
  };
  Health health() const;

  // Connections that have had an answer: those that the endpoint serves, and has not left in its queue.
  int served() const;

  bool unused() const { return exchanges_ == 0; }
  const net::Uri& uri() const { return settings_.uri; }

 private:
  friend class Connection;
  using Timer = base::MemberDeadline<Endpoint>;

  void open_connection(Exchange& exchange);
  Connection& open_connection_for(Exchange* exchange);
  void close_unused();
  Exchange* next_waiting();
  void note(const std::optional<Failure>& unreachable);  // nothing: somebody was there

  std::chrono::seconds sweep_every() const;

  // Called by its connections.
  std::unique_ptr<Protocol> make_protocol() const;
  bool is_old(const Connection& connection) const;
  void opening_done(Connection& connection, base::Result<void, Failure> result);
  void deliver(Exchange& exchange, base::Result<Response, Failure> result);
  void became_idle(Connection& connection);
  void forget(Connection& connection);

  // Constant after construction.
  base::DeadlineWheel& deadlines_;
  const Settings settings_;
  const std::string script_params_;  // for FastCGI

  // Loop state.
  std::string head_;  // of every request, up to the type of its body
  net::Connector connector_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;  // the last one used is the first to be used again
  std::deque<Exchange*> waiting_;  // for their turn to open a connection, which is not yet connecting
  int opening_ = 0;
  Connection* probing_ = nullptr;
  Probed probed_;
  Health health_;              // but for the numbers of connections
  std::size_t exchanges_ = 0;  // posted and neither finished nor cancelled
  Timer sweep_{*this, &Endpoint::close_unused};
};

}  // namespace driveshaft::http
