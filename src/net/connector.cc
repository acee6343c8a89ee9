// SPDX-License-Identifier: MIT
#include "net/connector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "net/descriptors.h"

namespace driveshaft::net {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

constexpr auto kNextAfter = 250ms;
constexpr auto kTryLastFor = 60s;

bool is_unix(const asio::generic::stream_protocol::endpoint& address) {
  return address.protocol().family() == AF_UNIX;
}

// A Unix socket that this user may not open.
bool is_denied(const asio::generic::stream_protocol::endpoint& address, const error_code& error) {
  return is_unix(address) && error == asio::error::access_denied;
}

// The system's message, and what an operator can do about the error.
std::string describe(const asio::generic::stream_protocol::endpoint& address, const error_code& error) {
  if (is_denied(address, error)) {
    return error.message() +
           " (this user may not open the socket: give it the socket's group, such as with adduser driveshaft "
           "www-data, and restart driveshaft)";
  }
  if (error == asio::error::no_descriptors) {
    return error.message() + " (raise the limit: LimitNOFILE= of a systemd unit, ulimit -n of a shell)";
  }
  if (error == boost::system::errc::address_not_available) {
    return error.message() +
           " (no local port is free: let the other side keep connections alive, or widen "
           "net.ipv4.ip_local_port_range)";
  }
  if (error == asio::error::try_again) {
    return "its queue of connections is full (raise the backlog of the listening socket, or have less at "
           "once)";
  }
  return error.message();
}

std::string to_string(const asio::generic::stream_protocol::endpoint& address) {
  if (is_unix(address)) return "its socket";
  asio::ip::tcp::endpoint tcp;
  std::memcpy(tcp.data(), address.data(), address.size());
  tcp.resize(address.size());
  return to_string(Address{tcp.address().to_string(), tcp.port()});
}

// Opens the socket, unless only reserved descriptors are left. An attempt with `spare` is not needed now, so
// its lack of a descriptor is not noted.
void open(Stream::Socket& socket, const asio::generic::stream_protocol& protocol, int reserved, int spare,
          error_code& error) {
  socket.open(protocol, error);
  if (!error && is_reserved(socket.native_handle(), reserved + spare)) {
    error_code ignored;
    socket.close(ignored);
    error = asio::error::no_descriptors;
  }
  if (error == asio::error::no_descriptors && spare == 0) note_lack_of_descriptors();
}

// If the queue of a Unix socket is full, connect() fails with EAGAIN at once, which Asio takes for a
// connection in progress.
error_code refused_for_now(const Stream::Socket& socket) {
  error_code not_connected;
  socket.remote_endpoint(not_connected);
  return not_connected ? asio::error::try_again : error_code();
}

}  // namespace

Connector::Connector(Resolver& resolver, base::DeadlineWheel& deadlines, Address place,
                     Clock::duration names_for, std::shared_ptr<TlsClient> tls, int reserved)
    : resolver_(resolver),
      deadlines_(deadlines),
      name_(std::move(place.host)),
      port_(place.port),
      names_for_(names_for),
      reserved_(reserved),
      tls_(std::move(tls)) {
  error_code not_a_literal;
  const auto address = asio::ip::make_address(name_, not_a_literal);
  if (not_a_literal) return;
  addresses_ = {asio::ip::tcp::endpoint(address, port_)};
  addresses_until_ = Clock::time_point::max();
}

Connector::Connector(Resolver& resolver, base::DeadlineWheel& deadlines, Addresses addresses,
                     std::shared_ptr<TlsClient> tls, std::string tls_name, int reserved)
    : resolver_(resolver),
      deadlines_(deadlines),
      name_(std::move(tls_name)),
      reserved_(reserved),
      tls_(std::move(tls)),
      addresses_(std::move(addresses)),
      addresses_until_(Clock::time_point::max()) {}

std::shared_ptr<Connector::Attempt> Connector::connect(Handler handler, int spare) {
  auto attempt = std::make_shared<Attempt>(*this, std::move(handler), spare);
  attempt->begin();
  return attempt;
}

void Connector::remember(const Resolver::Addresses& found) {
  addresses_.clear();
  for (auto address : found) {
    address.port(port_);
    addresses_.emplace_back(address);
  }
  addresses_until_ = Clock::now() + names_for_;
}

void Connector::try_last(const Endpoint& address) {
  std::erase_if(late_addresses_, [&](const auto& entry) { return entry.first == address; });
  late_addresses_.emplace_back(address, Clock::now() + kTryLastFor);
}

Connector::Addresses Connector::in_order() {
  std::erase_if(late_addresses_, [now = Clock::now()](const auto& entry) { return entry.second <= now; });
  Addresses ordered = addresses_;
  std::stable_partition(ordered.begin(), ordered.end(), [&](const auto& address) {
    return std::none_of(late_addresses_.begin(), late_addresses_.end(),
                        [&](const auto& entry) { return entry.first == address; });
  });
  return ordered;
}

void Connector::Attempt::begin() {
  if (Clock::now() < connector_.addresses_until_) {
    addresses_ = connector_.in_order();
    return try_next();
  }
  looking_up_ = true;
  connector_.resolver_.look_up(connector_.name_, [weak = weak_from_this()](const Resolver::Answer& answer) {
    const auto self = weak.lock();
    if (!self) return;
    self->looking_up_ = false;
    if (!answer) {
      return self->give_up(fmt::format("its name cannot be resolved: {}", answer.error().message));
    }
    self->connector_.remember(*answer);
    self->addresses_ = self->connector_.in_order();
    self->try_next();
  });
}

void Connector::Attempt::try_next() {
  while (next_ < addresses_.size()) {
    Try& next = tries_.emplace_back(Try{Socket(connector_.loop()), addresses_[next_++]});
    error_code error;
    open(next.socket, next.address.protocol(), connector_.reserved_, spare_, error);
    if (!error) {
      next.socket.async_connect(next.address, [weak = weak_from_this(), &next](const error_code& failure) {
        if (const auto self = weak.lock()) self->tried(next, failure);
      });
      if (next_ < addresses_.size()) connector_.deadlines_.set(*this, kNextAfter);
      return;
    }
    next.pending = false;
    failed(next.address, error);
  }
  fail_if_none_is_left();
}

void Connector::Attempt::on_deadline() {
  const auto self = shared_from_this();
  if (connected_) {
    begin_tls();
  } else {
    try_next();
  }
}

void Connector::Attempt::tried(Try& which, error_code error) {
  if (tries_.empty()) return;  // another one has connected, and `which` is destroyed
  if (!error && is_unix(which.address)) error = refused_for_now(which.socket);
  which.pending = false;
  if (error) {
    failed(which.address, error);
    return next_ < addresses_.size() ? try_next() : fail_if_none_is_left();
  }
  clear();
  // Addresses that were tried earlier and have not answered are tried last from now on.
  for (const Try& earlier : tries_) {
    if (&earlier == &which) break;
    if (earlier.pending) connector_.try_last(earlier.address);
  }
  error_code ignored;  // a Unix socket has no such option
  which.socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  which.socket.non_blocking(true, ignored);
  Socket socket = std::move(which.socket);
  tries_.clear();
  if (connector_.tls_) return look_at_tls_files(std::move(socket));
  std::exchange(handler_, nullptr)(Stream(std::move(socket)));
}

void Connector::Attempt::look_at_tls_files(Socket socket) {
  connected_ = std::move(socket);
  connector_.deadlines_.set(*this, connector_.tls_->look_timeout());
  connector_.tls_->look(connector_.resolver_.calls(), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && self->connected_) self->begin_tls();
  });
}

void Connector::Attempt::begin_tls() {
  clear();
  Socket socket = std::move(*connected_);
  connected_.reset();
  auto session = connector_.tls_->session(connector_.name_);
  if (!session) return give_up(session.error().message);
  stream_.emplace(std::move(socket), std::move(*session));
  shake_hands();
}

void Connector::Attempt::shake_hands() {
  error_code error;
  stream_->handshake(error);
  if (error == asio::error::would_block) {
    return stream_->async_wait([weak = weak_from_this()](const error_code& failure) {
      const auto self = weak.lock();
      if (!self) return;
      if (failure) return self->give_up(fmt::format("TLS handshake failed: {}", failure.message()));
      self->shake_hands();
    });
  }
  if (error) return give_up(connector_.tls_->describe_failure(*stream_->tls(), connector_.name_, error));
  std::exchange(handler_, nullptr)(std::move(*stream_));
}

void Connector::Attempt::failed(const Endpoint& address, const error_code& error) {
  no_capacity_ |= error == asio::error::try_again || error == asio::error::no_descriptors;
  denied_ |= is_denied(address, error);
  if (addresses_.size() == 1) {
    reasons_ = describe(address, error);
    return;
  }
  connector_.try_last(address);
  if (!reasons_.empty()) reasons_ += "; ";
  reasons_ += fmt::format("{}: {}", to_string(address), describe(address, error));
}

void Connector::Attempt::fail_if_none_is_left() {
  const bool is_any_left =
      next_ < addresses_.size() ||
      std::any_of(tries_.begin(), tries_.end(), [](const Try& one) { return one.pending; });
  if (!is_any_left) give_up(fmt::format("cannot connect: {}", reasons_));
}

void Connector::Attempt::give_up(std::string why) {
  clear();
  asio::post(connector_.loop(), [weak = weak_from_this(), why = std::move(why)] {
    const auto self = weak.lock();
    if (self) std::exchange(self->handler_, nullptr)(Failure{{why}, self->no_capacity_, self->denied_});
  });
}

}  // namespace driveshaft::net
