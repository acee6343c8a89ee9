// SPDX-License-Identifier: MIT
#include "admin/server.h"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <optional>
#include <thread>
#include <utility>

#include "admin/api.h"
#include "admin/events.h"
#include "base/error.h"
#include "base/exit_codes.h"
#include "log/log.h"
#include "net/asio.h"
#include "net/exceptions.h"

namespace driveshaft::admin {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using log::kMainLog;

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kAcceptPause{100};  // after an error such as "too many open files"

[[noreturn]] void cannot_listen(const net::Address& address, const error_code& error) {
  const char* remedy = error == asio::error::access_denied
                           ? "start as root, with --user if you like, or name a port from 1024 on with"
                           : "name a free address of this machine with";
  throw base::StartupError(
      base::kExitExporter,
      fmt::format("cannot listen on {} for metrics: {}; {} --exporter_addr, or an empty one for none",
                  net::to_string(address), error.message(), remedy));
}

// Listens on the first endpoint of the name that can be bound.
tcp::acceptor listen(asio::io_context& io, const net::Address& address) {
  error_code error;
  tcp::resolver resolver(io);
  const auto endpoints =
      resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, error);
  if (error) cannot_listen(address, error);
  for (const auto& entry : endpoints) {
    tcp::acceptor acceptor(io);
    acceptor.open(entry.endpoint().protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(entry.endpoint(), error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error) return acceptor;
  }
  cannot_listen(address, error);
}

using Request = http::request_parser<http::string_body>;
using Response = http::response<http::string_body>;

Response to_response(Reply reply, unsigned version, bool keep_alive) {
  Response response(static_cast<http::status>(reply.status), version);
  response.set(http::field::server, "driveshaft");
  response.set(http::field::content_type, reply.content_type);
  response.set(http::field::cache_control, "no-store");
  // The page has nothing inline and asks nobody else.
  response.set("Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
               "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  if (!reply.allow.empty()) response.set(http::field::allow, reply.allow);
  response.keep_alive(keep_alive);
  response.body() = std::move(reply.body);
  response.prepare_payload();
  return response;
}

// The answer to a request that could not be read; nothing if the client has gone.
std::optional<Reply> refusal(const error_code& error) {
  if (error == http::error::header_limit) return Reply{.status = 431, .body = "request header too large\n"};
  if (error == http::error::body_limit) return Reply{.status = 413, .body = "request body too large\n"};
  if (error == http::error::end_of_stream || error == http::error::partial_message) return {};
  if (error.category() == http::make_error_code(http::error::bad_method).category()) {
    return Reply{.status = 400, .body = "not an HTTP request: " + error.message() + "\n"};
  }
  return {};
}

// While this object lives, its stream is in the list of streams that wait for their clients. The stream that
// has waited longest is the first.
class Waits {
 public:
  using Streams = std::list<beast::tcp_stream*>;
  Waits(Streams& waiting, beast::tcp_stream& stream)
      : waiting_(waiting), place_(waiting.insert(waiting.end(), &stream)) {}
  ~Waits() { waiting_.erase(place_); }
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;

 private:
  Streams& waiting_;
  const Streams::iterator place_;
};

// Adds one to a counter as long as this object lives.
class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(&count) { ++count; }
  ~Counted() {
    if (count_) --*count_;
  }
  Counted(Counted&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Counted& operator=(Counted&&) = delete;

 private:
  std::size_t* count_;  // null when it was moved from
};

}  // namespace

struct Server::Impl {
  Impl(const net::Address& address, Sources from, monitor::Watched watched, const Limits& bounds)
      : sources(with_outages(std::move(from))),
        limits(bounds),
        monitor(io, std::move(watched)),
        acceptor(listen(io, address)) {}

  Sources with_outages(Sources from) {
    from.ready = [this, ready = std::move(from.ready)] {
      Health health = ready();
      health.detail += monitor.outages();
      return health;
    };
    return from;
  }

  asio::awaitable<void> accept_all();
  asio::awaitable<void> serve(tcp::socket socket, Counted open);
  asio::awaitable<bool> answer_one(beast::tcp_stream& stream, beast::flat_buffer& buffer);
  asio::awaitable<Reply> reply_to(std::string_view method, std::string_view target);
  asio::awaitable<void> stream_to(beast::tcp_stream& stream, bool head);
  asio::awaitable<bool> send(beast::tcp_stream& stream, Response response, bool head);
  bool make_room();

  const Sources sources;
  const Limits limits;
  std::size_t open_connections = 0;  // the admin thread's, as all that follows
  std::size_t open_streams = 0;
  Waits::Streams waiting;
  asio::io_context io{1};  // destroys the coroutines, which use what is above
  monitor::Monitor monitor;
  tcp::acceptor acceptor;
  std::thread thread;
};

// The answer of the page, of the plain pages, or of the API.
asio::awaitable<Reply> Server::Impl::reply_to(std::string_view method, std::string_view target) {
  const bool api = is_api(target);
  try {
    if (!api) co_return answer(method, target, sources);
    if (auto refused = refuse_method(method)) co_return std::move(*refused);
    Reply reply;
    const bool known = co_await monitor.with_view(
        detail_for(target), [&](const monitor::View& view) { reply = answer_api(target, view); });
    if (!known) co_return api_error(503, "the event loop has not answered yet; see /healthz");
    co_return reply;
  } catch (...) {
    net::log_exception(std::current_exception(), "answering on the exporter address");
  }
  if (api) co_return api_error(500, "internal error, see the log");
  co_return Reply{.status = 500, .body = "internal error, see the log\n"};
}

asio::awaitable<void> Server::Impl::stream_to(beast::tcp_stream& stream, bool head) {
  const Counted open(open_streams);
  co_await stream_events(stream, monitor, limits.request, head);
}

asio::awaitable<void> Server::Impl::accept_all() {
  asio::steady_timer pause(io);
  bool failing = false;
  while (true) {
    auto [error, socket] = co_await acceptor.async_accept(kResult);
    if (error) {
      if (!failing) kMainLog.warn("cannot accept connections on the exporter address: {}", error.message());
      failing = true;
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kResult);
      continue;
    }
    failing = false;
    if (open_connections >= limits.connections && !make_room()) continue;
    asio::co_spawn(io, serve(std::move(socket), Counted(open_connections)), net::kRethrow);
  }
}

// Clients that connect and send nothing, or do not read the answer, must keep out neither a scrape nor a
// health check.
bool Server::Impl::make_room() {
  if (waiting.empty()) return false;
  waiting.front()->close();
  return true;
}

asio::awaitable<void> Server::Impl::serve(tcp::socket socket, Counted) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  // With a small buffer the server soon notices a client that does not read, before it has made many pages
  // for it.
  socket.set_option(asio::socket_base::send_buffer_size(64 * 1024), ignored);
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer(limits.header_bytes + static_cast<std::size_t>(limits.body_bytes));
  bool first = true;
  while (true) {
    if (buffer.size() == 0) {
      stream.expires_after(first ? limits.request : limits.keep_alive);
      const Waits waits(waiting, stream);
      auto [error, size] = co_await stream.async_read_some(buffer.prepare(1024), kResult);
      if (error) co_return;
      buffer.commit(size);
    }
    first = false;
    if (!co_await answer_one(stream, buffer)) break;
  }
  // What the client still sends is not read: a reset could overtake the answer, so let it see the end first.
  stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream.expires_after(limits.request);
  const Waits waits(waiting, stream);
  for (std::size_t left = limits.body_bytes; left > 0;) {
    buffer.clear();
    auto [error, size] = co_await stream.async_read_some(buffer.prepare(1024), kResult);
    if (error) break;
    left -= std::min(left, size);
  }
}

// Whether the connection is good for another request.
asio::awaitable<bool> Server::Impl::answer_one(beast::tcp_stream& stream, beast::flat_buffer& buffer) {
  Request request;
  request.header_limit(limits.header_bytes);
  request.body_limit(limits.body_bytes);
  stream.expires_after(limits.request);
  std::optional<Waits> waits(std::in_place, waiting, stream);
  auto [error, size] = co_await http::async_read(stream, buffer, request, kResult);
  waits.reset();
  if (error) {
    if (auto reply = refusal(error)) co_await send(stream, to_response(std::move(*reply), 11, false), false);
    co_return false;
  }
  const auto& message = request.get();
  const std::string_view method(message.method_string().data(), message.method_string().size());
  const std::string_view target(message.target().data(), message.target().size());
  const bool head = message.method() == http::verb::head;
  Reply reply;
  if (target != kEventsPath) {
    reply = co_await reply_to(method, target);
  } else if (auto refused = refuse_method(method)) {
    reply = std::move(*refused);
  } else if (open_streams >= limits.streams) {
    reply = api_error(503, "too many clients listen to events; ask for /api/v1/status every few seconds");
  } else {
    co_await stream_to(stream, head);
    co_return false;
  }
  Response response = to_response(std::move(reply), message.version(), message.keep_alive());
  co_return co_await send(stream, std::move(response), head);
}

// Whether the connection is good for another request.
asio::awaitable<bool> Server::Impl::send(beast::tcp_stream& stream, Response response, bool head) {
  const bool keep_alive = response.keep_alive();
  http::response_serializer<http::string_body> serializer(response);
  error_code failed;
  stream.expires_after(limits.request);
  const Waits waits(waiting, stream);
  if (head) {
    serializer.split(true);
    auto [error, size] = co_await http::async_write_header(stream, serializer, kResult);
    failed = error;
  } else {
    auto [error, size] = co_await http::async_write(stream, serializer, kResult);
    failed = error;
  }
  co_return !failed && keep_alive;
}

Server::Server(const net::Address& address, Sources sources, monitor::Watched watched, const Limits& limits)
    : impl_(std::make_unique<Impl>(address, std::move(sources), std::move(watched), limits)) {}

Server::~Server() { stop(); }

void Server::start() {
  impl_->monitor.start();
  asio::co_spawn(impl_->io,
                 net::restarted("accepting connections on the exporter address",
                                [impl = impl_.get()] { return impl->accept_all(); }),
                 net::kRethrow);
  impl_->thread = std::thread([impl = impl_.get()] {
    ::pthread_setname_np(::pthread_self(), "admin");
    net::run_past_exceptions(impl->io, "the admin thread");
  });
}

void Server::stop() {
  impl_->io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

net::Address Server::address() const {
  const auto endpoint = impl_->acceptor.local_endpoint();
  return {endpoint.address().to_string(), endpoint.port()};
}

}  // namespace driveshaft::admin
