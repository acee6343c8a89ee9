// SPDX-License-Identifier: MIT
#include "http/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <new>

#include "http/fastcgi_protocol.h"
#include "http/http_protocol.h"
#include "net/descriptors.h"

namespace driveshaft::http {
namespace {

using namespace std::chrono_literals;

// At most so many connections are opened at once. More of them would overflow the backlog of the endpoint's
// listening socket, and each overflow would delay its job by a second.
constexpr int kMaxOpening = 64;
constexpr auto kSweepEvery = 15s;  // a connection that is unused for a whole such period is closed
// A process of php-fpm that has taken a connection waits for the request on it, for up to five seconds.
constexpr auto kFastcgiSweepEvery = 1s;
// At most so many connections are left to the endpoint to close. Beyond that, the oldest one is closed here.
constexpr std::size_t kMostClosing = 64;
constexpr auto kAddressesFor = 5s;  // one name look-up serves all connections that are opened in this time

std::string make_head(const net::Uri& uri, std::string_view lines) {
  std::string head = fmt::format("POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: driveshaft\r\nAccept: */*\r\n",
                                 uri.target.reveal(), uri.authority);
  if (!uri.authorization.empty()) head += fmt::format("Authorization: {}\r\n", uri.authorization.reveal());
  return head.append(lines).append("Content-Type: ");
}

net::Connector make_connector(net::Resolver& resolver, base::DeadlineWheel& deadlines,
                              const Endpoint::Settings& settings) {
  const net::Uri& uri = settings.uri;
  if (uri.is_unix()) {
    return {resolver, deadlines, {asio::local::stream_protocol::endpoint(uri.socket_path)},
            nullptr,  "",        net::kReservedForServers};
  }
  if (!settings.addresses.empty()) {
    net::Connector::Addresses addresses;
    for (const auto& address : settings.addresses) {
      addresses.emplace_back(asio::ip::tcp::endpoint(address.address(), uri.port));
    }
    return {resolver, deadlines, std::move(addresses), settings.tls, uri.host, net::kReservedForServers};
  }
  return {resolver,      deadlines,    net::Address{uri.host, uri.port},
          kAddressesFor, settings.tls, net::kReservedForServers};
}

}  // namespace

Endpoint::Endpoint(net::Resolver& resolver, base::DeadlineWheel& deadlines, Settings settings)
    : deadlines_(deadlines),
      settings_(std::move(settings)),
      script_params_(settings_.uri.is_fastcgi() ? script_params(settings_.uri, settings_.document_root) : ""),
      head_(make_head(settings_.uri, {})),
      connector_(make_connector(resolver, deadlines, settings_)),
      max_connection_age_(settings_.max_connection_age) {}

Endpoint::~Endpoint() {
  for (const auto& [_, connection] : connections_) connection->close();
}

std::unique_ptr<Protocol> Endpoint::make_protocol() const {
  if (settings_.uri.is_fastcgi()) return std::make_unique<FastcgiProtocol>(script_params_);
  return std::make_unique<HttpProtocol>();
}

bool Endpoint::is_over_its_age(const Connection& connection) const {
  return Renewals::is_over(connection.age_at_last_response(), max_connection_age_, connection.age_share);
}

std::chrono::seconds Endpoint::sweep_every() const {
  return settings_.uri.is_fastcgi() ? kFastcgiSweepEvery : kSweepEvery;
}

void Endpoint::set_header_lines(std::string_view lines) { head_ = make_head(settings_.uri, lines); }

void Endpoint::append_head(std::string& out, std::string_view content_type,
                           std::size_t content_length) const {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, content_length).ptr;
  out.append(head_).append(content_type).append("\r\nContent-Length: ").append(digits, end).append("\r\n");
}

template <class Send>
void Endpoint::begin(Exchange& exchange, Send send) {
  ++exchanges_;
  try {
    send();
  } catch (const std::bad_alloc&) {
    cancel(exchange);
    throw;
  }
}

void Endpoint::post(Exchange& exchange) {
  exchange.phases_ = {};
  begin(exchange, [&] {
    if (idle_.empty()) return open_connection(exchange);
    Connection& connection = *idle_.back();
    idle_.pop_back();
    connection.send(exchange);
  });
}

void Endpoint::send_again(Exchange& exchange) {
  begin(exchange, [&] { open_connection(exchange); });
}

void Endpoint::cancel(Exchange& exchange) {
  --exchanges_;
  if (Connection* connection = std::exchange(exchange.connection_, nullptr)) {
    if (connection->opening()) return connection->abandon();
    note_reachability({});
    close(*connection);
  } else {
    std::erase(waiting_, &exchange);
  }
}

void Endpoint::deliver(Exchange& exchange, base::Result<Response, Failure> result) {
  --exchanges_;
  try {
    note_result(result);
  } catch (const std::bad_alloc&) {  // health() does not know it, which costs no job
  }
  exchange.finished(std::move(result));
}

void Endpoint::note_result(const base::Result<Response, Failure>& result) {
  if (result) {
    note_reachability({});
  } else if (result.error().kind != Failure::Kind::stale_connection) {
    const bool down =
        result.error().kind == Failure::Kind::unreachable || result.error().kind == Failure::Kind::full;
    note_reachability(down ? std::optional(result.error()) : std::nullopt);
  }
}

// A response of any kind, even a malformed one, shows that the endpoint can be reached. So does an open
// connection on which no response came.
void Endpoint::note_reachability(const std::optional<Failure>& unreachable) {
  const bool down = unreachable.has_value();
  if (!health_.tried || down != health_.down) {
    health_.tried = true;
    health_.down = down;
    health_.since = base::Deadline::Clock::now();
    health_.why.clear();
  }
  if (down && health_.why != unreachable->message) health_.why = unreachable->message;
}

Endpoint::Health Endpoint::health() const {
  Health health = health_;
  health.connections = connections_.size();
  health.idle_connections = idle_.size();
  return health;
}

void Endpoint::open_connection(Exchange& exchange) {
  if (opening_ >= kMaxOpening) give_up_a_renewal();
  if (opening_ >= kMaxOpening) {
    waiting_.push_back(&exchange);
  } else {
    open_connection_for(&exchange);
  }
}

Connection& Endpoint::open_connection_for(Exchange* exchange, bool replaces) {
  auto connection = std::make_shared<Connection>(*this);
  connections_.emplace(connection.get(), connection);
  try {
    idle_.reserve(connections_.size());  // so that to become idle needs no memory
    if (!sweep_.is_set()) deadlines_.set(sweep_, sweep_every());
    connection->open(exchange, replaces);
  } catch (const std::bad_alloc&) {
    close(*connection);
    throw;
  }
  ++opening_;
  return *connection;
}

// A job needs to open a connection. It goes before a connection that is opened to replace another one.
void Endpoint::give_up_a_renewal() {
  Connection* fresh = renewals_.give_up_one();
  if (!fresh) return;
  --opening_;
  close(*fresh);
}

void Endpoint::renew(Connection& old) {
  if (opening_ >= kMaxOpening || !renewals_.may_begin(old)) return;
  try {
    renewals_.begin(old, open_connection_for(nullptr, /*replaces=*/true));
  } catch (const std::bad_alloc&) {  // the old connection stays in use
    renewals_.pause();
  }
}

void Endpoint::probe(Probed probed) {
  probed_ = std::move(probed);
  probing_ = &open_connection_for(nullptr);
}

void Endpoint::opening_done(Connection& connection, base::Result<void, Failure> result) {
  --opening_;
  if (Connection* old = result ? renewals_.opened(connection) : nullptr) close_when_idle(*old);
  if (Exchange* next = next_waiting()) {
    try {
      open_connection(*next);
    } catch (const std::bad_alloc&) {
      deliver(*next, Failure{Failure::Kind::unreachable, "out of memory"});
    }
  }
  if (&connection != probing_) return;
  probing_ = nullptr;
  std::exchange(probed_, nullptr)(std::move(result));
}

void Endpoint::became_idle(Connection& connection) {
  if (Exchange* next = next_waiting()) return connection.send(*next);
  if (connection.closes_when_idle) return close(connection);
  idle_.push_back(&connection);
  if (is_over_its_age(connection)) renew(connection);
}

Exchange* Endpoint::next_waiting() {
  if (waiting_.empty()) return nullptr;
  Exchange* next = waiting_.front();
  waiting_.pop_front();
  return next;
}

// php-fpm closes its connection after the response. The side that closes first keeps the port for a minute
// (TIME_WAIT of RFC 9293). If that were this process, it would run out of ports for one address at 470
// requests a second.
bool Endpoint::endpoint_closes_first() const {
  return settings_.uri.is_fastcgi() && settings_.uri.socket_path.empty();
}

void Endpoint::leave_to_close(Connection& connection) {
  if (closing_.size() >= kMostClosing) close(*closing_.front());
  closing_.push_back(&connection);
}

void Endpoint::forget(Connection& connection) {
  std::erase(idle_, &connection);
  std::erase(closing_, &connection);
  renewals_.forget(connection);
  connections_.erase(&connection);
}

void Endpoint::close(Connection& connection) {
  connection.close();
  forget(connection);
}

void Endpoint::close_when_idle(Connection& connection) {
  connection.closes_when_idle = true;
  if (std::find(idle_.begin(), idle_.end(), &connection) != idle_.end()) close(connection);
}

void Endpoint::close_idle() {
  for (const auto& [_, connection] : connections_) connection->closes_when_idle = true;
  while (!idle_.empty()) close(*idle_.back());
}

void Endpoint::close_unused() {
  renewals_.try_again();
  auto candidates = idle_;
  candidates.insert(candidates.end(), closing_.begin(), closing_.end());
  for (Connection* connection : candidates) {
    if (!std::exchange(connection->used_since_sweep, false)) close(*connection);
  }
  if (!connections_.empty()) deadlines_.set(sweep_, sweep_every());
}

}  // namespace driveshaft::http
