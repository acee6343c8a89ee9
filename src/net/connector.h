// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/deadlines.h"
#include "net/address.h"
#include "net/asio.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/tls.h"

namespace driveshaft::net {

// Opens connections to one host and port, or to given addresses, over TLS if `tls` is set. If there are
// several addresses, the next one is tried as soon as one fails, and beside one that has not answered within
// 250 ms (RFC 8305). An address that failed or did not answer is tried last for 60 s. On the loop's thread.
// Outlives its attempts.
class Connector {
 public:
  using Clock = base::Deadline::Clock;
  using Socket = asio::generic::stream_protocol::socket;
  // The message gives the reason only.
  struct Failure : base::Error {
    // The peer's queue is full, or no descriptor is free: a later attempt may succeed.
    bool no_capacity = false;
    bool denied = false;  // this user may not open the socket
  };
  // Gets an open stream: its socket is non-blocking and has TCP_NODELAY, and over TLS the handshake is done.
  using Handler = std::function<void(base::Result<Stream, Failure>)>;
  class Attempt;
  using Addresses = std::vector<asio::generic::stream_protocol::endpoint>;

  // One look-up of the name serves all attempts that begin within `names_for` after it. `tls`: null for plain
  // text. `reserved`: how many file descriptors are left to other uses; see net/descriptors.h.
  Connector(Resolver& resolver, base::DeadlineWheel& deadlines, Address place, Clock::duration names_for,
            std::shared_ptr<TlsClient> tls = nullptr, int reserved = 0);
  // Connects to `addresses`, at least one, without a look-up. Over TLS the peer's certificate must be for
  // `tls_name`, a name or a literal, whatever the address.
  Connector(Resolver& resolver, base::DeadlineWheel& deadlines, Addresses addresses,
            std::shared_ptr<TlsClient> tls = nullptr, std::string tls_name = {}, int reserved = 0);
  Connector(const Connector&) = delete;

  asio::io_context& loop() const { return resolver_.loop(); }

  // The loop calls `handler` once, never from within connect(). Whoever destroys the attempt before that
  // cancels it: the handler is not called. `spare`: how many more file descriptors this attempt leaves to
  // other uses, for a connection that is not needed now.
  [[nodiscard]] std::shared_ptr<Attempt> connect(Handler handler, int spare = 0);

 private:
  using Endpoint = Addresses::value_type;

  void remember(const Resolver::Addresses& found);
  void try_last(const Endpoint& address);
  Addresses in_order();

  Resolver& resolver_;
  base::DeadlineWheel& deadlines_;
  const std::string name_;  // looked up unless the addresses are given; TLS checks it
  const std::uint16_t port_ = 0;
  const Clock::duration names_for_{};
  const int reserved_;
  const std::shared_ptr<TlsClient> tls_;

  Addresses addresses_;
  Clock::time_point addresses_until_{};
  std::vector<std::pair<Endpoint, Clock::time_point>> late_addresses_;  // tried last until then
};

// An attempt in progress. Its owner limits its time.
class Connector::Attempt final : public std::enable_shared_from_this<Attempt>, private base::Deadline {
 public:
  Attempt(Connector& connector, Handler handler, int spare)
      : connector_(connector), handler_(std::move(handler)), spare_(spare) {}

  bool looking_up() const { return looking_up_; }
  bool shaking_hands() const { return connected_ || stream_; }

 private:
  friend class Connector;
  friend struct AttemptTest;
  struct Try {
    Socket socket;
    Endpoint address;
    bool pending = true;
  };

  void begin();
  void try_next();
  void on_deadline() override;  // the last address that was tried is slow, or the look at the TLS files is
  void tried(Try& which, boost::system::error_code error);
  void failed(const Endpoint& address, const boost::system::error_code& error);
  void fail_if_none_is_left();
  void look_at_tls_files(Socket socket);
  void begin_tls();
  void shake_hands();
  void give_up(std::string why);

  Connector& connector_;
  Handler handler_;  // empty once called
  const int spare_;
  bool looking_up_ = false;
  Addresses addresses_;
  std::size_t next_ = 0;             // address to be tried
  std::deque<Try> tries_;            // the handlers have references to them
  std::string reasons_;              // of the addresses that failed
  bool no_capacity_ = false;         // of one of these addresses
  bool denied_ = false;              // likewise
  std::optional<Socket> connected_;  // during the look at the TLS files
  std::optional<Stream> stream_;     // during the handshake
};

}  // namespace driveshaft::net
