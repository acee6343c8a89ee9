// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/deadlines.h"
#include "http/exchange.h"
#include "http/protocol.h"
#include "net/asio.h"
#include "net/connector.h"

namespace driveshaft::http {

class Endpoint;

// One connection to an endpoint: opened for an exchange, then used for one exchange after another. A read is
// always under way, but for a pause in a streamed response, so that a close by the endpoint is noticed while
// idle, and no exchange has to start one. Kept by its endpoint and by the operations under way; calls the
// endpoint until close().
class Connection final : public std::enable_shared_from_this<Connection>, private base::Deadline {
 public:
  explicit Connection(Endpoint& endpoint);

  // Opens it and sends the exchange, if any, when it is open.
  void open(Exchange* exchange);

  // Sends on an idle connection.
  void send(Exchange& exchange);

  // Reads more of a streamed response, if its exchange had enough of it before.
  void read_on();

  // Closes the socket and calls nobody any more. The exchange, if any, is let go without a word.
  void close();

  bool opening() const { return state_ == State::opening || state_ == State::settling; }
  Clock::duration age() const { return Clock::now() - opening_at_; }  // since it began to be opened
  bool has_answered() const { return reused_; }
  // The exchange was cancelled while it was opening: it goes on, for another.
  void abandon();

  // The endpoint's mark, to find those that nobody needs.
  bool used_since_sweep = true;

 private:
  enum class State {
    opening,
    settling,  // hands have been shaken, and it is seen whether TLS holds
    idle,
    busy,
    closed,
  };

  void on_deadline() override;  // opening took too long, or has settled
  void connected(base::Result<net::Stream, net::Connector::Failure> stream);
  void opened();
  void open_failed(Failure::Kind kind, const std::string& why);
  void read();
  void on_read(const boost::system::error_code& error, std::size_t bytes);
  base::Result<std::size_t, Failure> read_response();
  base::Result<bool, Failure> pass_on();
  void pass_remarks_on(bool over);
  void take_response(const boost::system::error_code& error);
  bool refused_by_tls(const boost::system::error_code& error) const;
  void write();
  void wait_to_write();
  void fail(Failure failure);

  Endpoint& endpoint_;                                // not touched once closed
  std::shared_ptr<net::Connector::Attempt> attempt_;  // while connecting
  net::Stream stream_;
  State state_ = State::opening;
  Exchange* exchange_ = nullptr;

  const std::unique_ptr<Protocol> protocol_;
  std::vector<char> buffer_;  // bytes read and not yet taken are [0, filled_)
  std::size_t filled_ = 0;
  bool reused_ = false;        // this exchange is not the connection's first
  bool request_sent_ = false;  // whole, to the kernel
  bool paused_ = false;        // nothing is read, and no read is under way
  Clock::time_point opening_at_{};
  Clock::time_point sent_at_{};
};

}  // namespace driveshaft::http
