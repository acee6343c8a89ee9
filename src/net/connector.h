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

// Opens connections to one place, with TLS if it is to have it. When its name has several addresses, none can
// hide the others: the next is tried as soon as one fails, and beside one that has not answered within 250 ms
// (RFC 8305); an address that did not answer comes last for a while. On the loop's thread; outlives its
// attempts.
class Connector {
 public:
  using Clock = base::Deadline::Clock;
  using Socket = asio::generic::stream_protocol::socket;
  // The message is the reason only.
  struct Failure : base::Error {
    bool no_more = false;  // somebody may be there; there cannot be more connections now
  };
  // The socket does not block, nor wait to send small packets; over TLS the handshake is done.
  using Handler = std::function<void(base::Result<Stream, Failure>)>;
  class Attempt;
  using Addresses = std::vector<asio::generic::stream_protocol::endpoint>;

  // A look-up of the name serves all attempts that begin within `names_for` after it. `kept`: it leaves the
  // last so many file descriptors of the process to others. `tls`: null for plain text.
  Connector(Resolver& resolver, base::DeadlineWheel& deadlines, Address place, Clock::duration names_for,
            std::shared_ptr<TlsClient> tls = nullptr, int kept = 0);
  // Connects to addresses that need no look-up; at least one. Over TLS the peer has to be `tls_name`, a name
  // or a literal, whichever address it has.
  Connector(Resolver& resolver, base::DeadlineWheel& deadlines, Addresses addresses,
            std::shared_ptr<TlsClient> tls = nullptr, std::string tls_name = {}, int kept = 0);
  Connector(const Connector&) = delete;

  asio::io_context& loop() const { return resolver_.loop(); }

  // Calls `handler` once, from the loop and not from within. To let the attempt go is to give it up: the
  // handler is not called then. `spare`: it leaves so many more file descriptors to others than all attempts
  // do, for a connection that nobody misses.
  [[nodiscard]] std::shared_ptr<Attempt> connect(Handler handler, int spare = 0);

 private:
  using Endpoint = Addresses::value_type;

  void remember(const Resolver::Addresses& found);
  void shun(const Endpoint& address);
  Addresses in_order();

  Resolver& resolver_;
  base::DeadlineWheel& deadlines_;
  const std::string name_;  // looked up unless the addresses are known; TLS checks it
  const std::uint16_t port_ = 0;
  const Clock::duration names_for_{};
  const int kept_;
  const std::shared_ptr<TlsClient> tls_;

  Addresses addresses_;
  Clock::time_point addresses_until_{};
  std::vector<std::pair<Endpoint, Clock::time_point>> late_addresses_;  // tried last until then
};

// An attempt under way, bounded in time by who holds it.
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
  void on_deadline() override;  // the last address tried takes long, or the look at the files of TLS
  void tried(Try& which, boost::system::error_code error);
  void failed(const Endpoint& address, const boost::system::error_code& error);
  void finish_if_hopeless();
  void secure(Socket socket);
  void begin_tls();
  void shake_hands();
  void give_up(std::string why);

  Connector& connector_;
  Handler handler_;  // empty once called
  const int spare_;
  bool looking_up_ = false;
  Addresses addresses_;
  std::size_t next_ = 0;             // address to be tried
  std::deque<Try> tries_;            // their places do not change
  std::string reasons_;              // of those that failed
  bool no_more_ = false;             // of one of them
  std::optional<Socket> connected_;  // while the files of TLS are looked at
  std::optional<Stream> stream_;     // during the handshake
};

}  // namespace driveshaft::net
