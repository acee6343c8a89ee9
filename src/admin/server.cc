// SPDX-License-Identifier: MIT
#include "admin/server.h"

#include <unistd.h>

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "admin/access.h"
#include "admin/api.h"
#include "admin/clients.h"
#include "admin/events.h"
#include "admin/listen.h"
#include "admin/pending_actions.h"
#include "admin/response.h"
#include "admin/served_certificate.h"
#include "admin/token_file.h"
#include "admin/wrong_tokens.h"
#include "base/blocked_signals.h"
#include "log/log.h"
#include "net/asio.h"
#include "net/descriptors.h"
#include "net/exceptions.h"
#include "net/tls_server.h"

namespace driveshaft::admin {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;
using log::kMainLog;
using net::kResult;

constexpr std::chrono::seconds kActsWithin{10};
constexpr std::chrono::seconds kUpgradesWithin{40};     // more than Upgrade::kTimeOut of the daemon
constexpr std::chrono::seconds kRerunsWithin{30};       // more than LetterRerun::kLongest of the daemon
constexpr std::chrono::milliseconds kAcceptPause{100};  // after an error such as "too many open files"
constexpr std::chrono::minutes kNoteEvery{1};
constexpr std::chrono::seconds kAnswersWithin{1};  // in stop()
constexpr const char* kReadToken = "admin_read_token_file";
constexpr const char* kAdminToken = "admin_token_file";

using Request = http::request_parser<http::string_body>;

std::optional<std::string_view> header_of(const Request::value_type& message, http::field name) {
  const auto [first, last] = message.equal_range(name);
  if (first == last) return std::nullopt;
  // If there are several Host headers, none can be right: servers differ in which of them they take. "," is
  // no valid host.
  if (std::next(first) != last) return ",";
  return std::string_view(first->value().data(), first->value().size());
}

Asked asked_for(const Request::value_type& message) {
  return {.target = {message.target().data(), message.target().size()},
          .host = header_of(message, http::field::host),
          .is_http_1_0 = message.version() < 11,
          .authorization = header_of(message, http::field::authorization).value_or(""),
          .origin = header_of(message, http::field::origin)};
}

// The client's address; 0.0.0.0 if the client has gone.
asio::ip::address client_of(Stream& stream) {
  error_code error;
  const auto endpoint = stream.socket().remote_endpoint(error);
  tcp::endpoint client;
  if (error || endpoint.size() > client.capacity()) return {};
  std::memcpy(client.data(), endpoint.data(), endpoint.size());
  client.resize(endpoint.size());
  return client.address();
}

}  // namespace

struct Server::Impl {
  Impl(const std::optional<net::Address>& address, Sources from, monitor::Watched watched,
       const ExporterSettings& access, const Limits& bounds, const Listeners& inherited)
      : sources(with_outages(std::move(from))),
        rules{.hosts = access.hosts,
              .read_token = {},
              .admin_token = {},
              .tls = !access.certificate_file.empty()},
        limits(bounds),
        exporter("the exporter address", bounds.connections,
                 access.admin_token_file.empty() ? bounds.body_bytes : bounds.control_body_bytes),
        control("the control socket", bounds.control_connections, bounds.control_body_bytes),
        read_token(io, kReadToken, access.read_token_file, rules.read_token),
        admin_token(io, kAdminToken, access.admin_token_file, rules.admin_token),
        certificate(io, access.certificate_file, access.key_file),
        monitor(io, std::move(watched)) {
    if (inherited.exporter >= 0) {
      acceptor.emplace(adopt(io, inherited.exporter));
    } else if (address) {
      acceptor.emplace(listen(io, *address));
    }
    if (inherited.control >= 0) control_acceptor.emplace(io, stream_protocol(), inherited.control);
  }
  ~Impl() {
    if (owns_control_path) ::unlink(control_path.c_str());
  }

  Sources with_outages(Sources from) {
    from.ready = [this, ready = std::move(from.ready)] {
      Health health = ready();
      health.detail += monitor.outages();
      return health;
    };
    return from;
  }

  template <class Acceptor>
  void spawn(const char* what, Acceptor& from, Clients& clients);
  template <class Acceptor>
  asio::awaitable<void> accept_all(Acceptor& from, Clients& clients);
  asio::awaitable<void> serve(Stream::Socket socket, Clients& clients, ScopedCount open,
                              ScopedCount unanswered);
  asio::awaitable<bool> answer_one(Stream& stream, Clients& clients, beast::flat_buffer& buffer);
  asio::awaitable<Reply> act_on(std::string_view method, std::string_view target, std::string_view body,
                                std::string by);
  asio::awaitable<Reply> reply_to(std::string_view method, std::string_view target);
  asio::awaitable<void> stream_to(Stream& stream, bool head);
  asio::awaitable<bool> send(Stream& stream, Clients& clients, Response response, bool head);
  asio::awaitable<void> retire(std::function<void()> done);
  asio::awaitable<Reply> turn_away(Refusal refusal, Stream& stream, Clients& clients);

  const Sources sources;
  AccessRules rules;  // the admin thread's once it runs, as all members below `control_path` are
  const Limits limits;
  Act act;
  PendingActions pending_actions;
  std::string control_path;
  bool owns_control_path = false;
  Clients exporter;
  Clients control;
  Waits::Streams streams;  // of clients that listen to events
  std::size_t busy = 0;  // connections with a request that is not answered yet; new connections count as such
  bool retiring = false;
  WrongTokens wrong_tokens;
  std::chrono::steady_clock::time_point host_noted{};  // when an unknown host was last logged
  asio::io_context io{1};  // destroyed before the members above, which its coroutines use
  TokenFile read_token;
  TokenFile admin_token;
  ServedCertificate certificate;
  monitor::Monitor monitor;
  std::optional<tcp::acceptor> acceptor;
  std::optional<stream_protocol::acceptor> control_acceptor;
  std::thread thread;
};

// Makes the answer of a file of the page, a plain page, or the API.
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

asio::awaitable<void> Server::Impl::stream_to(Stream& stream, bool head) {
  const Waits listed(streams, stream);
  co_await stream_events(stream, monitor, limits.request, head);
}

std::chrono::seconds answers_within(const Action& action) {
  if (std::holds_alternative<UpgradeAction>(action)) return kUpgradesWithin;
  return std::holds_alternative<RerunLettersAction>(action) ? kRerunsWithin : kActsWithin;
}

// Hands an action to the loop's thread, and waits until it is done.
asio::awaitable<Reply> Server::Impl::act_on(std::string_view method, std::string_view target,
                                            std::string_view body, std::string by) {
  auto action = parse_action(method, target, body);
  if (!action) co_return action.error();
  struct Pending {
    Pending(asio::io_context& io, std::chrono::seconds limit) : done(io, limit) {}
    asio::steady_timer done;
    std::optional<ActionResult> result;
  };
  const auto pending = std::make_shared<Pending>(io, answers_within(*action));
  // `done` may be called when this server has stopped; what it posts is then never run.
  act(std::move(*action), std::move(by), [&io = io, weak = std::weak_ptr(pending)](ActionResult result) {
    asio::post(io, [weak, result = std::move(result)] {
      const auto still_waiting = weak.lock();
      if (!still_waiting) return;
      still_waiting->result = result;
      still_waiting->done.cancel();
    });
  });
  co_await pending->done.async_wait(kResult);
  if (pending->result) co_return to_reply(*pending->result);
  co_return api_error(503, "not done yet: the event loop, or a file system, has not answered; see the log");
}

template <class Acceptor>
asio::awaitable<void> Server::Impl::accept_all(Acceptor& from, Clients& clients) {
  asio::steady_timer pause(io);
  bool failing = false;
  while (true) {
    Stream::Socket socket(io);
    const auto [error] = co_await from.async_accept(socket, kResult);
    if (error && retiring) co_return;
    if (error) {
      if (!failing) kMainLog.warn("cannot accept connections on {}: {}", clients.name, error.message());
      failing = true;
      if (error == asio::error::no_descriptors) {
        net::note_lack_of_descriptors();
        if (clients.make_room()) continue;
      }
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kResult);
      continue;
    }
    failing = false;
    if (clients.open >= clients.most && !clients.make_room()) continue;
    asio::co_spawn(io, serve(std::move(socket), clients, ScopedCount(clients.open), ScopedCount(busy)),
                   net::kRethrow);
  }
}

asio::awaitable<void> Server::Impl::serve(Stream::Socket socket, Clients& clients, ScopedCount,
                                          ScopedCount first_unanswered) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  // With a small send buffer the server soon notices a client that does not read, before it has made many
  // answers for it.
  socket.set_option(asio::socket_base::send_buffer_size(64 * 1024), ignored);
  const bool is_tls = &clients == &exporter && certificate.context();
  net::TlsSession session = is_tls ? net::server_session(*certificate.context()) : nullptr;
  if (is_tls && !session) co_return;
  Stream stream(std::move(socket), std::move(session));
  if (is_tls) {
    stream.expires_after(limits.request);
    const Waits waits(clients.waiting, stream);
    if (co_await stream.handshake()) co_return;
  }
  beast::flat_buffer buffer(limits.header_bytes + static_cast<std::size_t>(clients.body_bytes));
  std::optional<ScopedCount> unanswered(std::move(first_unanswered));
  while (true) {
    if (buffer.size() == 0) {
      stream.expires_after(unanswered ? limits.request : limits.keep_alive);
      const Waits waits(clients.waiting, stream);
      auto [error, size] = co_await stream.async_read_some(buffer.prepare(1024), kResult);
      if (error) co_return;
      buffer.commit(size);
      if (!unanswered) unanswered.emplace(busy);
    }
    if (!co_await answer_one(stream, clients, buffer)) break;
    if (buffer.size() == 0) unanswered.reset();
  }
  unanswered.reset();
  // What the client still sends is read and thrown away: if the socket were closed with unread bytes, TCP
  // would send a reset, and the client could lose the answer.
  stream.shutdown_send();
  stream.expires_after(limits.request);
  const Waits waits(clients.waiting, stream);
  for (std::size_t left = clients.body_bytes; left > 0;) {
    buffer.clear();
    auto [error, size] = co_await stream.async_read_some(buffer.prepare(1024), kResult);
    if (error) break;
    left -= std::min(left, size);
  }
}

// Returns whether the connection can be used for another request.
asio::awaitable<bool> Server::Impl::answer_one(Stream& stream, Clients& clients, beast::flat_buffer& buffer) {
  Request request;
  request.header_limit(limits.header_bytes);
  request.body_limit(clients.body_bytes);
  stream.expires_after(limits.request);
  std::optional<Waits> waits(std::in_place, clients.waiting, stream);
  auto [error, size] = co_await http::async_read(stream, buffer, request, kResult);
  waits.reset();
  if (error) {
    if (auto reply = refusal(error))
      co_await send(stream, clients, to_response(std::move(*reply), 11, false), false);
    co_return false;
  }
  const auto& message = request.get();
  const std::string_view method(message.method_string().data(), message.method_string().size());
  const std::string_view target(message.target().data(), message.target().size());
  const bool head = message.method() == http::verb::head;
  const bool over_control = &clients == &control;
  auto access =
      over_control ? base::Result<Access, Refusal>(Access::read) : decide(asked_for(message), rules);
  const auto peer =
      over_control && is_control(target) ? peer_of(stream.socket().native_handle()) : std::nullopt;
  std::optional<PendingActions::One> acts;
  if (peer || (access && *access == Access::act)) {
    acts.emplace(pending_actions);
    stream.expires_never();  // act_on() has a time limit of its own
  }
  Reply reply;
  if (!access) {
    reply = co_await turn_away(std::move(access).error(), stream, clients);
  } else if (peer) {
    reply = co_await act_on(method, target, message.body(), *peer);
  } else if (*access == Access::act) {
    reply = co_await act_on(method, target, message.body(), "token, " + client_of(stream).to_string());
  } else if (*access == Access::status) {
    reply = without_details(co_await reply_to(method, target));
  } else if (target != kEventsPath) {
    reply = co_await reply_to(method, target);
  } else if (auto not_allowed = refuse_method(method)) {
    reply = std::move(*not_allowed);
  } else if (streams.size() >= limits.streams) {
    reply = api_error(503, "too many clients listen to events; ask for /api/v1/status every few seconds");
  } else {
    // A client must not listen to events of a process that retires: it would not see the new one. So the
    // connection is closed without an answer, and the client asks again on a new connection.
    if (!retiring) co_await stream_to(stream, head);
    co_return false;
  }
  Response response = to_response(std::move(reply), message.version(), message.keep_alive() && !retiring);
  co_return co_await send(stream, clients, std::move(response), head);
}

// Makes the answer to a refused request. For a wrong token it waits first. It logs what an operator has to
// know, because a refused scraper shows nothing but the status.
asio::awaitable<Reply> Server::Impl::turn_away(Refusal refusal, Stream& stream, Clients& clients) {
  const auto now = std::chrono::steady_clock::now();
  const auto client = client_of(stream);
  if (refusal.why == Refusal::Why::host && now - host_noted >= kNoteEvery) {
    host_noted = now;
    kMainLog.warn("a request from {} was refused: {}", client.to_string(), refusal.said);
  }
  if (refusal.why != Refusal::Why::wrong_token) co_return std::move(refusal.reply);
  asio::steady_timer wait(io, wrong_tokens.add(client, now));
  if (const auto count = wrong_tokens.to_note(now)) {
    kMainLog.warn("{} wrong token{} shown on {}, the last one by {}", *count, *count == 1 ? " was" : "s were",
                  clients.name, client.to_string());
  }
  const Waits waits(clients.waiting, stream);
  co_await wait.async_wait(kResult);
  co_return std::move(refusal.reply);
}

// Returns whether the connection can be used for another request.
asio::awaitable<bool> Server::Impl::send(Stream& stream, Clients& clients, Response response, bool head) {
  const bool keep_alive = response.keep_alive();
  http::response_serializer<http::string_body> serializer(response);
  error_code failed;
  stream.expires_after(limits.request);
  const Waits waits(clients.waiting, stream);
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

Server::Server(const std::optional<net::Address>& address, Sources sources, monitor::Watched watched,
               const ExporterSettings& access, const Limits& limits, const Listeners& inherited)
    : impl_(std::make_unique<Impl>(address, std::move(sources), std::move(watched), access, limits,
                                   inherited)) {}

Server::~Server() { stop(); }

void Server::obey(Act act) { impl_->act = std::move(act); }

void Server::listen_for_control(const std::string& path) {
  if (!impl_->control_acceptor) {
    impl_->control_acceptor.emplace(bind_control_socket(impl_->io, path));
    impl_->owns_control_path = true;
  }
  impl_->control_path = path;
}

void Server::read_files() {
  impl_->read_token.load();
  impl_->admin_token.load();
  impl_->certificate.load();
}

template <class Acceptor>
void Server::Impl::spawn(const char* what, Acceptor& from, Clients& clients) {
  asio::co_spawn(io, net::restarted(what, [this, &from, &clients] { return accept_all(from, clients); }),
                 net::kRethrow);
}

void Server::start() {
  impl_->owns_control_path = impl_->control_acceptor.has_value();
  impl_->monitor.start();
  impl_->read_token.watch();
  impl_->admin_token.watch();
  impl_->certificate.watch();
  if (impl_->acceptor) {
    impl_->spawn("accepting connections on the exporter address", *impl_->acceptor, impl_->exporter);
  }
  if (impl_->control_acceptor) {
    impl_->spawn("accepting connections on the control socket", *impl_->control_acceptor, impl_->control);
  }
  const base::BlockedSignals blocked;
  impl_->thread = std::thread([impl = impl_.get()] {
    ::pthread_setname_np(::pthread_self(), "admin");
    net::run_past_exceptions(impl->io, "the admin thread");
  });
}

// Waits for pending actions: an action may end this process before its own answer is sent.
void Server::stop() {
  if (impl_->thread.joinable()) impl_->pending_actions.wait_for_end(kAnswersWithin);
  impl_->io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Listeners Server::listeners() const {
  return {.exporter = impl_->acceptor ? impl_->acceptor->native_handle() : -1,
          .control = impl_->control_acceptor ? impl_->control_acceptor->native_handle() : -1};
}

asio::awaitable<void> Server::Impl::retire(std::function<void()> done) {
  constexpr std::chrono::milliseconds kLookEvery{20};
  retiring = true;
  stop_listening(acceptor);
  stop_listening(control_acceptor);
  for (Stream* stream : streams) stream->close();
  asio::steady_timer pause(io);
  while (busy > 0) {
    pause.expires_after(kLookEvery);
    co_await pause.async_wait(kResult);
  }
  done();
}

void Server::retire(std::function<void()> done) {
  impl_->owns_control_path = false;
  asio::co_spawn(impl_->io, impl_->retire(std::move(done)), net::kRethrow);
}

std::optional<net::Certificate> Server::certificate() const { return impl_->certificate.shown(); }

net::Address Server::address() const {
  const auto endpoint = impl_->acceptor->local_endpoint();
  return {endpoint.address().to_string(), endpoint.port()};
}

}  // namespace driveshaft::admin
