// SPDX-License-Identifier: MIT
#include "cli/client.h"

#include <fmt/format.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace driveshaft::cli {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using base::Error;
using boost::system::error_code;

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kPatience{5};
constexpr std::uint64_t kMostBytes = 64 * 1024 * 1024;

Error failed(const net::Address& daemon, std::string_view what, const error_code& error) {
  return {fmt::format("{} http://{}: {}; is a driveshaft running there, with that --exporter_addr?", what,
                      net::to_string(daemon),
                      error == beast::error::timeout ? "no answer in time" : error.message())};
}

}  // namespace

asio::awaitable<base::Result<std::string>> get(net::Address daemon, std::string_view path) {
  const auto io = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(io);
  const auto [not_found, addresses] =
      co_await resolver.async_resolve(daemon.host, std::to_string(daemon.port), kResult);
  if (not_found) co_return failed(daemon, "cannot find", not_found);

  beast::tcp_stream stream(io);
  stream.expires_after(kPatience);
  const auto [not_connected, address] = co_await stream.async_connect(addresses, kResult);
  if (not_connected) co_return failed(daemon, "cannot connect to", not_connected);

  http::request<http::empty_body> request(http::verb::get, {path.data(), path.size()}, 11);
  request.set(http::field::host, net::to_string(daemon));
  request.set(http::field::user_agent, "driveshaft");
  request.set(http::field::connection, "close");
  const auto [unsent, sent] = co_await http::async_write(stream, request, kResult);
  if (unsent) co_return failed(daemon, "cannot ask", unsent);

  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMostBytes);
  const auto [unread, read] = co_await http::async_read(stream, buffer, parser, kResult);
  if (unread) co_return failed(daemon, "no answer from", unread);
  auto response = parser.release();
  if (response.result_int() != 200) {
    co_return Error{
        fmt::format("http://{}{} answers HTTP status {}: it is no driveshaft of this version, or one that "
                    "is stuck",
                    net::to_string(daemon), path, response.result_int())};
  }
  co_return base::Result<std::string>(boost::system::in_place_value, std::move(response.body()));
}

}  // namespace driveshaft::cli
