// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/backoff.h"
#include "base/deadlines.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/renewals.h"
#include "net/asio.h"
#include "net/connector.h"
#include "net/uri.h"

namespace driveshaft::http {

// Sends jobs to one URI: it has the kept-alive connections to it. Each request in progress has a connection
// of its own; idle connections wait for the next request. On the loop's thread. The owner keeps an endpoint
// until it is unused(). The resolver and the wheel outlive it.
class Endpoint {
 public:
  struct Settings {
    net::Uri uri;
    std::chrono::milliseconds connect_timeout;  // name look-up, TCP and TLS together
    std::size_t max_response_size;              // bytes of body
    std::shared_ptr<net::TlsClient> tls;        // null unless the URI is https
    std::string document_root = {};             // used for FastCGI only; empty: the folder of the script
    // Where connections go. They have the port of the URI; TLS still checks the URI's host. Empty: the URI's
    // host is looked up. Unused for a Unix socket.
    net::Resolver::Addresses addresses = {};
    std::chrono::milliseconds max_connection_age{0};  // as in set_max_connection_age()
    // Draws a number from [0, 1): where in its range the age limit of a connection lies.
    double (*age_share)() = base::random_share;
  };

  Endpoint(net::Resolver& resolver, base::DeadlineWheel& deadlines, Settings settings);
  Endpoint(const Endpoint&) = delete;
  ~Endpoint();

  // Sets the header lines, each with its CRLF, of every request from now on.
  void set_header_lines(std::string_view lines);

  // A connection that is older is replaced between two exchanges, so that a balancer spreads the load again:
  // a new connection is opened, and the old one is used until the new one is ready. 0: never. Each connection
  // has its own limit, drawn from 80% to 120% of this. The limit applies to existing connections, too, but
  // not to FastCGI, which keeps no connection.
  void set_max_connection_age(std::chrono::milliseconds age) { max_connection_age_ = age; }

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

  // Closes the present connections: the idle ones now, each other one when its exchange is over and no job
  // waits for a connection. Connections that are opened later are kept as usual.
  void close_idle();

  using Probed = std::function<void(base::Result<void, Failure>)>;
  // Opens a connection, to find out whether the endpoint can be reached. The connection then waits for the
  // next request. Calls `probed` once, not from within probe(), unless the endpoint is destroyed before.
  // There is one probe at a time.
  void probe(Probed probed);
  // What the last exchange that ended has shown, and the numbers of connections.
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
  friend struct EndpointAccess;  // of tests
  using Timer = base::MemberDeadline<Endpoint>;

  template <class Send>
  void begin(Exchange& exchange, Send send);
  void open_connection(Exchange& exchange);
  Connection& open_connection_for(Exchange* exchange, bool replaces = false);
  void give_up_a_renewal();
  void renew(Connection& old);
  void close_when_idle(Connection& connection);
  void close(Connection& connection);
  void close_unused();
  Exchange* next_waiting();
  void note_result(const base::Result<Response, Failure>& result);
  void note_reachability(const std::optional<Failure>& unreachable);  // nothing: the endpoint was reached

  std::chrono::seconds sweep_every() const;
  bool is_over_its_age(const Connection& connection) const;

  // Called by the connections.
  std::unique_ptr<Protocol> make_protocol() const;
  void opening_done(Connection& connection, base::Result<void, Failure> result);
  void deliver(Exchange& exchange, base::Result<Response, Failure> result);
  void became_idle(Connection& connection);
  // Whether a connection that is not used again is left to the endpoint to close.
  bool endpoint_closes_first() const;
  // The connection is not used again, and endpoint_closes_first(): it stays until the endpoint closes it, a
  // sweep passes without that, or too many wait.
  void leave_to_close(Connection& connection);
  void forget(Connection& connection);

  // Constant after construction.
  base::DeadlineWheel& deadlines_;
  const Settings settings_;
  const std::string script_params_;  // for FastCGI

  // Loop state.
  std::string head_;  // of every request, up to the type of the body
  net::Connector connector_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;    // the connection that was used last is used next
  std::deque<Connection*> closing_;  // left to the endpoint to close, the oldest first
  std::deque<Exchange*> waiting_;    // for a connection: at most kMaxOpening are opened at once
  int opening_ = 0;
  std::chrono::milliseconds max_connection_age_;
  Renewals renewals_;
  Connection* probing_ = nullptr;
  Probed probed_;
  Health health_;              // without the numbers of connections
  std::size_t exchanges_ = 0;  // that are posted, and neither finished nor cancelled
  Timer sweep_{*this, &Endpoint::close_unused};
};

}  // namespace driveshaft::http
