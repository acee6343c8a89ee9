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

// The place that jobs are sent to: a URI and the kept-alive connections to it. Each request in progress has a
// connection of its own; idle connections wait for the next request. Lives on the loop's thread. The owner
// keeps an endpoint until it is unused().
class Endpoint {
 public:
  struct Settings {
    net::Uri uri;
    std::chrono::milliseconds connect_timeout;  // name look-up, TCP and TLS together
    std::size_t max_response_size;              // bytes of body
    std::shared_ptr<net::TlsClient> tls;        // null unless the URI is https
    std::string document_root = {};             // used for FastCGI only; empty: the folder of the script
  };

  Endpoint(net::Resolver& resolver, base::DeadlineWheel& deadlines, Settings settings);
  Endpoint(const Endpoint&) = delete;
  ~Endpoint();

  // Sets the header lines, each with its CRLF, of every request from now on.
  void set_header_lines(std::string_view lines);

  // Appends the head of a POST with a body of that type and length, without the empty line that ends the
  // head: the caller may append more header lines.
  void append_head(std::string& out, std::string_view content_type, std::size_t content_length) const;

  // Sends the request on an idle connection, or else on a new one. This and send_again() may throw
  // std::bad_alloc; the exchange is not posted then.
  void post(Exchange& exchange);
  // Sends the request once more, on a new connection, after Failure::Kind::stale_connection. This belongs to
  // the same attempt.
  void send_again(Exchange& exchange);
  // Ends the exchange: finished() will not be called, and the connection that carries the exchange is closed.
  void cancel(Exchange& exchange);

  // Reads more of a streamed response, after Exchange::on_chunk() has returned false. Never calls the
  // exchange.
  static void resume_reading(Exchange& exchange) {
    if (exchange.connection_) exchange.connection_->resume_reading();
  }

  // Whether the request is on an open connection. False: the exchange waits for a connection.
  static bool sent(const Exchange& exchange) {
    return exchange.connection_ && !exchange.connection_->opening();
  }

  using Probed = std::function<void(base::Result<void, Failure>)>;
  // Opens a connection, to find out whether the endpoint can be reached. The connection then waits for the
  // next request. Calls `probed` once, not from within probe(), unless the endpoint is destroyed before.
  // There is one probe at a time.
  void probe(Probed probed);
  // What the last exchange that ended has shown.
  struct Health {
    bool tried = false;
    bool down = false;  // the endpoint could not be reached
    base::Deadline::Clock::time_point since = base::Deadline::Clock::now();
    std::string why;  // the endpoint is down
    std::size_t connections = 0;
    std::size_t idle_connections = 0;
  };
  Health health() const;

  bool unused() const { return exchanges_ == 0; }
  const net::Uri& uri() const { return settings_.uri; }

 private:
  friend class Connection;
  using Timer = base::MemberDeadline<Endpoint>;

  template <class Send>
  void begin(Exchange& exchange, Send send);
  void open_connection(Exchange& exchange);
  Connection& open_connection_for(Exchange* exchange);
  void close_unused();
  Exchange* next_waiting();
  void note_result(const base::Result<Response, Failure>& result);
  void note_reachability(const std::optional<Failure>& unreachable);  // nothing: the endpoint was reached

  std::chrono::seconds sweep_every() const;

  // Called by the connections.
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
  std::string head_;  // of every request, up to the type of the body
  net::Connector connector_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;  // the connection that was used last is used next
  std::deque<Exchange*> waiting_;  // until they may open a connection: at most kMaxOpening are opened at once
  int opening_ = 0;
  Connection* probing_ = nullptr;
  Probed probed_;
  Health health_;              // without the numbers of connections
  std::size_t exchanges_ = 0;  // that are posted, and neither finished nor cancelled
  Timer sweep_{*this, &Endpoint::close_unused};
};

}  // namespace driveshaft::http
