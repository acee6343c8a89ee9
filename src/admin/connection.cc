// SPDX-License-Identifier: MIT
#include "admin/connection.h"

#include <algorithm>
#include <boost/beast/http.hpp>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "admin/api.h"
#include "admin/listen.h"
#include "log/log.h"

namespace driveshaft::admin {
namespace {

namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using log::kMainLog;
using net::kResult;

constexpr std::chrono::minutes kNoteEvery{1};

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

}  // namespace

Connection::Connection(Stream::Socket socket, net::TlsSession tls, Clients& clients, Serving& serving)
    : serving_(serving),
      clients_(clients),
      stream_(std::move(socket), std::move(tls)),
      buffer_(serving.limits.header_bytes + static_cast<std::size_t>(clients.body_bytes)) {
  error_code ignored;
  stream_.socket().set_option(tcp::no_delay(true), ignored);
  // With a small send buffer the server soon notices a client that does not read, before it has made many
  // answers for it.
  stream_.socket().set_option(asio::socket_base::send_buffer_size(64 * 1024), ignored);
}

asio::awaitable<void> Connection::serve(ScopedCount first_unanswered) {
  if (stream_.tls()) {
    stream_.expires_after(serving_.limits.request);
    const Waits waits(clients_.waiting, stream_);
    if (co_await stream_.handshake()) co_return;
  }
  std::optional<ScopedCount> unanswered(std::move(first_unanswered));
  while (true) {
    if (buffer_.size() == 0) {
      stream_.expires_after(unanswered ? serving_.limits.request : serving_.limits.keep_alive);
      const Waits waits(clients_.waiting, stream_);
      auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(1024), kResult);
      if (error) co_return;
      buffer_.commit(size);
      if (!unanswered) unanswered.emplace(serving_.busy);
    }
    if (!co_await answer_one()) break;
    if (buffer_.size() == 0) unanswered.reset();
  }
  unanswered.reset();
  co_await drop_the_rest();
}

// What the client still sends is read and thrown away: if the socket were closed with unread bytes, TCP would
// send a reset, and the client could lose the answer.
asio::awaitable<void> Connection::drop_the_rest() {
  stream_.shutdown_send();
  stream_.expires_after(serving_.limits.request);
  const Waits waits(clients_.waiting, stream_);
  for (std::size_t left = clients_.body_bytes; left > 0;) {
    buffer_.clear();
    auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(1024), kResult);
    if (error) break;
    left -= std::min(left, size);
  }
}

asio::awaitable<bool> Connection::answer_one() {
  Request request;
  request.header_limit(serving_.limits.header_bytes);
  request.body_limit(clients_.body_bytes);
  stream_.expires_after(serving_.limits.request);
  std::optional<Waits> waits(std::in_place, clients_.waiting, stream_);
  auto [error, size] = co_await http::async_read(stream_, buffer_, request, kResult);
  waits.reset();
  if (error) {
    if (auto reply = refusal(error)) co_await send(to_response(std::move(*reply), 11, false), false);
    co_return false;
  }
  const auto& message = request.get();
  const std::string_view method(message.method_string().data(), message.method_string().size());
  const std::string_view target(message.target().data(), message.target().size());
  const bool head = message.method() == http::verb::head;
  const bool over_control = clients_.of == Clients::Of::control_socket;
  auto access =
      over_control ? base::Result<Access, Refusal>(Access::read) : decide(asked_for(message), serving_.rules);
  const auto peer =
      over_control && is_control(target) ? peer_of(stream_.socket().native_handle()) : std::nullopt;
  std::optional<PendingActions::One> acts;
  if (peer || (access && *access == Access::act)) {
    acts.emplace(serving_.pending_actions);
    stream_.expires_never();  // Answers::act_on() has a time limit of its own
  }
  Answers& answers = serving_.answers;
  Reply reply;
  if (!access) {
    reply = co_await turn_away(std::move(access).error());
  } else if (peer) {
    reply = co_await answers.act_on(method, target, message.body(), *peer);
  } else if (*access == Access::act) {
    reply = co_await answers.act_on(method, target, message.body(), "token, " + client().to_string());
  } else if (*access == Access::status) {
    reply = without_details(co_await answers.reply_to(method, target));
  } else if (target != kEventsPath) {
    reply = co_await answers.reply_to(method, target);
  } else if (auto not_allowed = refuse_method(method)) {
    reply = std::move(*not_allowed);
  } else if (serving_.streams.size() >= serving_.limits.streams) {
    reply = api_error(503, "too many clients listen to events; ask for /api/v1/status every few seconds");
  } else {
    // A client must not listen to events of a process that retires: it would not see the new one. So the
    // connection is closed without an answer, and the client asks again on a new connection.
    if (!serving_.retiring) co_await send_events(head);
    co_return false;
  }
  const bool keep_alive = message.keep_alive() && !serving_.retiring;
  co_return co_await send(to_response(std::move(reply), message.version(), keep_alive), head);
}

asio::awaitable<void> Connection::send_events(bool head) {
  const Waits listed(serving_.streams, stream_);
  co_await stream_events(stream_, serving_.monitor, serving_.limits.request, head);
}

// For a wrong token it waits first. It logs what an operator has to know, because a refused scraper shows
// nothing but the status.
asio::awaitable<Reply> Connection::turn_away(Refusal refusal) {
  const auto now = std::chrono::steady_clock::now();
  const auto from = client();
  if (refusal.why == Refusal::Why::host && now - serving_.host_noted >= kNoteEvery) {
    serving_.host_noted = now;
    kMainLog.warn("a request from {} was refused: {}", from.to_string(), refusal.said);
  }
  if (refusal.why != Refusal::Why::wrong_token) co_return std::move(refusal.reply);
  asio::steady_timer wait(serving_.io, serving_.wrong_tokens.add(from, now));
  if (const auto count = serving_.wrong_tokens.to_note(now)) {
    kMainLog.warn("{} wrong token{} shown on {}, the last one by {}", *count, *count == 1 ? " was" : "s were",
                  clients_.name, from.to_string());
  }
  const Waits waits(clients_.waiting, stream_);
  co_await wait.async_wait(kResult);
  co_return std::move(refusal.reply);
}

asio::awaitable<bool> Connection::send(Response response, bool head) {
  const bool keep_alive = response.keep_alive();
  http::response_serializer<http::string_body> serializer(response);
  error_code failed;
  stream_.expires_after(serving_.limits.request);
  const Waits waits(clients_.waiting, stream_);
  if (head) {
    serializer.split(true);
    auto [error, size] = co_await http::async_write_header(stream_, serializer, kResult);
    failed = error;
  } else {
    auto [error, size] = co_await http::async_write(stream_, serializer, kResult);
    failed = error;
  }
  co_return !failed && keep_alive;
}

asio::ip::address Connection::client() {
  error_code error;
  const auto endpoint = stream_.socket().remote_endpoint(error);
  tcp::endpoint client;
  if (error || endpoint.size() > client.capacity()) return {};
  std::memcpy(client.data(), endpoint.data(), endpoint.size());
  client.resize(endpoint.size());
  return client.address();
}

}  // namespace driveshaft::admin
