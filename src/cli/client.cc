// SPDX-License-Identifier: MIT
#include "cli/client.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <utility>

#include "net/blocking_calls.h"
#include "net/timed_stream.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

namespace beast = boost::beast;
using base::Error;
using boost::system::error_code;
using net::kResult;
using Request = beast::http::request<beast::http::string_body>;

constexpr std::chrono::seconds kGetTimeout{5};
constexpr std::uint64_t kMostBytes = 64 * 1024 * 1024;
constexpr std::string_view kNoAnswerInTime = "no answer in time";

Error failed(const Daemon& daemon, std::string_view what, std::string_view why) {
  return {fmt::format("{} {}: {}; is a driveshaft running there, with that --exporter_addr?", what,
                      to_string(daemon.target), why)};
}

Error failed(const Daemon& daemon, std::string_view what, const error_code& error) {
  return failed(daemon, what,
                error == beast::error::timeout ? std::string(kNoAnswerInTime) : error.message());
}

// The error for an answer whose status is not 200. If the request is at fault (status 4xx), the reason is the
// one that the daemon gives.
Error not_ok(const Daemon& daemon, std::string_view path, const Answer& answer) {
  error_code error;
  const auto said = boost::json::parse(answer.body, error);
  const auto* reason = !error && said.is_object() ? said.get_object().if_contains("error") : nullptr;
  if (answer.status >= 400 && answer.status < 500 && reason && reason->is_string()) {
    return {fmt::format("{} answers HTTP status {}: {}{}", to_string(daemon.target), answer.status,
                        text::printable(std::string_view(reason->get_string()), 1024),
                        remedy(answer.status))};
  }
  return {
      fmt::format("{}{} answers HTTP status {}: it is no driveshaft of this version, or one that is stuck",
                  to_string(daemon.target), path, answer.status)};
}

// Makes a TLS session for a new connection. The error says why this is not possible.
asio::awaitable<base::Result<net::TlsSession>> new_session(const Daemon& daemon) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer done(executor, daemon.tls->look_timeout());
  net::BlockingCalls calls(static_cast<asio::io_context&>(asio::query(executor, asio::execution::context)));
  daemon.tls->look(calls, [&done] { done.cancel(); });
  co_await done.async_wait(kResult);
  co_return daemon.tls->session(daemon.target.address.host);
}

// Sends the request, and reads the answer.
asio::awaitable<base::Result<Answer, error_code>> exchange(net::TimedStream& stream, Request request) {
  request.set(beast::http::field::user_agent, "driveshaft");
  request.set(beast::http::field::connection, "close");
  request.prepare_payload();
  const auto [unsent, sent] = co_await beast::http::async_write(stream, request, kResult);
  if (unsent) co_return unsent;
  beast::flat_buffer buffer;
  beast::http::response_parser<beast::http::string_body> parser;
  parser.body_limit(kMostBytes);
  const auto [unread, read] = co_await beast::http::async_read(stream, buffer, parser, kResult);
  if (unread) co_return unread;
  auto response = parser.release();
  co_return Answer{response.result_int(), std::move(response.body())};
}

std::string reason_of(const net::TimedStream& stream, const error_code& error) {
  return stream.has_expired() ? std::string(kNoAnswerInTime) : error.message();
}

asio::awaitable<base::Result<Answer>> ask(const Daemon& daemon, Request request,
                                          std::chrono::seconds timeout) {
  const auto io = co_await asio::this_coro::executor;
  const auto& address = daemon.target.address;
  asio::ip::tcp::resolver resolver(io);
  const auto [not_found, addresses] =
      co_await resolver.async_resolve(address.host, std::to_string(address.port), kResult);
  if (not_found) co_return failed(daemon, "cannot find", not_found);

  beast::tcp_stream connector(io);
  connector.expires_after(timeout);
  const auto [not_connected, connected] = co_await connector.async_connect(addresses, kResult);
  if (not_connected) co_return failed(daemon, "cannot connect to", not_connected);

  net::TlsSession session;
  if (daemon.tls) {
    auto made = co_await new_session(daemon);
    if (!made) co_return failed(daemon, "cannot connect to", made.error().message);
    session = std::move(*made);
  }
  net::TimedStream stream(connector.release_socket(), std::move(session));
  stream.expires_after(timeout);
  if (const auto error = co_await stream.handshake()) {
    co_return failed(daemon, "cannot connect to",
                     stream.has_expired()
                         ? reason_of(stream, error)
                         : daemon.tls->describe_failure(*stream.tls(), address.host, error, "--ca_file"));
  }

  request.set(beast::http::field::host, net::to_string(address));
  if (!daemon.token.empty())
    request.set(beast::http::field::authorization, "Bearer " + daemon.token.reveal());
  auto answer = co_await exchange(stream, std::move(request));
  if (answer) co_return std::move(*answer);
  const std::string hint =
      !daemon.tls && !stream.has_expired()
          ? fmt::format("; where the exporter speaks TLS the address is https://{}", net::to_string(address))
          : "";
  co_return failed(daemon, "no answer from", reason_of(stream, answer.error()) + hint);
}

Request post_request(std::string_view path, std::string_view body) {
  Request request(beast::http::verb::post, {path.data(), path.size()}, 11);
  request.set(beast::http::field::content_type, "application/json");
  request.body() = body;
  return request;
}

}  // namespace

std::string_view remedy(unsigned status) {
  return status == 401 ? "; --token_file, or the variable DRIVESHAFT_TOKEN_FILE, names a file with the token"
                       : "";
}

base::Result<Daemon> reach(const Target& target) {
  auto token = token_of(target);
  if (!token) return token.error();
  Daemon daemon{target, std::move(*token), nullptr};
  if (!target.tls) return daemon;
  net::TlsSettings settings{
      .ca_file = target.ca_file, .certificate_file = {}, .key_file = {}, .server_name = {}};
  if (auto usable = net::check_tls(settings); !usable) return Error{"--" + usable.error().message};
  daemon.tls = std::make_shared<net::TlsClient>(std::move(settings));
  return daemon;
}

asio::awaitable<base::Result<std::string>> get(const Daemon& daemon, std::string_view path) {
  auto answer =
      co_await ask(daemon, Request(beast::http::verb::get, {path.data(), path.size()}, 11), kGetTimeout);
  if (!answer) co_return answer.error();
  if (answer->status != 200) co_return not_ok(daemon, path, *answer);
  co_return base::Result<std::string>(boost::system::in_place_value, std::move(answer->body));
}

asio::awaitable<base::Result<Answer>> post(const Daemon& daemon, std::string_view path, std::string_view body,
                                           std::chrono::seconds timeout) {
  co_return co_await ask(daemon, post_request(path, body), timeout);
}

asio::awaitable<base::Result<Answer>> post_to_socket(const std::string& socket, std::string_view path,
                                                     std::string_view body, std::chrono::seconds timeout) {
  const auto fail = [&](std::string_view what, std::string_view why, bool denied = false) {
    return Error{fmt::format("{} {}: {}; {}", what, socket, why,
                             denied ? "run this as root, or as the daemon's user or group"
                                    : "is a driveshaft running, with that --control_socket?")};
  };
  if (socket.size() >= sizeof(sockaddr_un::sun_path)) {
    co_return fail("cannot connect to", error_code(asio::error::name_too_long).message());
  }
  net::TimedStream::Socket connection(co_await asio::this_coro::executor);
  const auto [not_connected] =
      co_await connection.async_connect(asio::local::stream_protocol::endpoint(socket), kResult);
  if (not_connected) {
    co_return fail("cannot connect to", not_connected.message(), not_connected == asio::error::access_denied);
  }
  net::TimedStream stream(std::move(connection));
  stream.expires_after(timeout);
  auto request = post_request(path, body);
  request.set(beast::http::field::host, "localhost");
  auto answer = co_await exchange(stream, std::move(request));
  if (answer) co_return std::move(*answer);
  co_return fail("no answer from", reason_of(stream, answer.error()));
}

}  // namespace driveshaft::cli
