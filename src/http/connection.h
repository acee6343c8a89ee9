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

// One connection to an endpoint: it is opened for an exchange, then used for one exchange after another. A
// read is always in progress, except while a streamed response is paused. So a close by the endpoint is
// noticed while the connection is idle. The endpoint and the operations in progress keep the connection
// alive. The connection calls the endpoint until close(). On the loop's thread.
class Connection final : public std::enable_shared_from_this<Connection>, private base::Deadline {
 public:
  explicit Connection(Endpoint& endpoint);

  // Opens the connection, and then sends the exchange, if there is one. `replaces`: the connection is to
  // replace another one, which carries exchanges until this one is ready. So there is time to see whether it
  // stays open, and it leaves file descriptors to connections that jobs wait for.
  void open(Exchange* exchange, bool replaces);

  // Sends an exchange. The connection is idle.
  void send(Exchange& exchange);

  // Reads more of a streamed response, if Exchange::on_chunk() has paused it.
  void resume_reading();

  // Closes the socket. The connection calls nobody after that: neither the endpoint nor the exchange that it
  // carries.
  void close();

  bool opening() const { return state_ == State::opening || state_ == State::settling; }
  // The exchange was cancelled while the connection was opening. The connection is opened all the same, for
  // another exchange.
  void abandon();

  // Its age when the last response began.
  Clock::duration age_at_last_response() const { return response_began_at_ - opening_at_; }

  // For the endpoint.
  const double age_share;         // where in its range the limit of its age lies
  bool used_since_sweep = true;   // one that has not been used for a while is closed
  bool closes_when_idle = false;  // it is not kept for another exchange

 private:
  friend struct EndpointAccess;  // of tests
  enum class State {
    opening,
    settling,  // it is open; the endpoint may still refuse it
    idle,
    busy,
    closed,
  };

  void on_deadline() override;  // opening took too long, or State::settling is over
  void connected(base::Result<net::Stream, net::Connector::Failure> stream);
  void opened();
  void open_failed(const Failure& failure);
  void read();
  void on_read(const boost::system::error_code& error, std::size_t bytes);
  base::Result<std::size_t, Failure> read_response();
  base::Result<bool, Failure> pass_chunk();
  void pass_stderr(bool over);
  void take_response(const boost::system::error_code& error);
  bool refused_by_tls(const boost::system::error_code& error) const;
  void write();
  void wait_to_write();
  bool is_likely_unread(bool reset) const;
  void fail(Failure failure, bool reset = false);  // reset: by the other side, with data in its queue
  void out_of_memory();

  Endpoint& endpoint_;                                // not used after close()
  std::shared_ptr<net::Connector::Attempt> attempt_;  // while connecting
  net::Stream stream_;
  State state_ = State::opening;
  Exchange* exchange_ = nullptr;

  const std::unique_ptr<Protocol> protocol_;
  std::vector<char> buffer_;  // bytes read and not yet taken are [0, filled_)
  std::size_t filled_ = 0;
  bool replaces_ = false;
  bool was_idle_ = false;      // it was idle before this exchange, so the endpoint may have closed it
  bool request_sent_ = false;  // the kernel has all of it
  bool paused_ = false;        // no read is in progress, until resume_reading()
  Clock::time_point opening_at_{};
  Clock::duration opened_in_{};  // at least one round trip, over TLS several
  Clock::time_point sent_at_{};
  Clock::time_point response_began_at_{};
};

}  // namespace driveshaft::http
