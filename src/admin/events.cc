// SPDX-License-Identifier: MIT
#include "admin/events.h"

#include <memory>
#include <string_view>

namespace driveshaft::admin {
namespace {

using net::kResult;

// `retry` is in ms: a browser that has lost the connection connects again after that time. The page also
// connects again by itself.
constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\n"
    "Server: driveshaft\r\n"
    "Content-Type: text/event-stream\r\n"
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "X-Accel-Buffering: no\r\n"
    "Connection: close\r\n"
    "\r\n";
constexpr std::string_view kRetry = "retry: 2000\n\n";

}  // namespace

asio::awaitable<void> stream_events(Stream& stream, monitor::Monitor& monitor,
                                    std::chrono::milliseconds timeout, bool head) {
  boost::system::error_code failed;
  stream.expires_after(timeout);
  const std::array<asio::const_buffer, 2> begin{asio::buffer(kHead), asio::buffer(head ? "" : kRetry)};
  std::tie(failed, std::ignore) = co_await asio::async_write(stream, begin, kResult);
  if (failed || head) co_return;

  std::uint64_t seen = 0;
  while (!failed) {
    stream.expires_never();
    co_await monitor.next(seen);
    seen = monitor.number();
    // All clients share this text. It is JSON without line ends, so it fits into one `data:` line.
    const std::shared_ptr<const std::string> status = monitor.status();
    if (!status) continue;
    const std::array<asio::const_buffer, 3> event{asio::buffer(std::string_view("event: status\ndata: ")),
                                                  asio::buffer(*status),
                                                  asio::buffer(std::string_view("\n\n"))};
    stream.expires_after(timeout);
    std::tie(failed, std::ignore) = co_await asio::async_write(stream, event, kResult);
  }
}

}  // namespace driveshaft::admin
