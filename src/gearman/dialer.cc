// SPDX-License-Identifier: MIT
#include "gearman/dialer.h"

#include <fmt/format.h>
#include <netinet/tcp.h>

#include <utility>

namespace driveshaft::gearman {
namespace {

using namespace std::chrono_literals;

constexpr auto kConnectTimeout = 5s;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

}  // namespace

Dialer::Dialer(asio::io_context& loop, base::DeadlineWheel& deadlines, base::Address server,
               std::chrono::milliseconds dead_after)
    : deadlines_(deadlines),
      server_(std::move(server)),
      dead_after_(dead_after),
      resolver_(loop),
      socket_(loop) {}

asio::awaitable<base::Result<asio::ip::tcp::socket, LinkError>> Dialer::dial() {
  timed_out_ = cancelled_ = false;
  deadlines_.set(*this, kConnectTimeout);
  const auto [not_found, addresses] = co_await resolver_.async_resolve(
      server_.host, std::to_string(server_.port), asio::ip::tcp::resolver::numeric_service, kAsTuple);
  if (not_found || cancelled_) {
    clear();
    co_return LinkError{fmt::format("its name cannot be resolved: {}",
                                    timed_out_ ? "no answer in time" : not_found.message())};
  }
  const auto [failed, address] = co_await asio::async_connect(socket_, addresses, kAsTuple);
  clear();
  if (failed) {
    boost::system::error_code ignored;
    socket_.close(ignored);
    co_return LinkError{
        fmt::format("cannot connect: {}", timed_out_ ? "no answer in time" : failed.message())};
  }
  set_options();
  co_return std::move(socket_);
}

void Dialer::cancel() {
  cancelled_ = true;
  resolver_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Dialer::on_deadline() {
  timed_out_ = true;
  cancel();
}

// Each is a refinement: none is worth a connection.
void Dialer::set_options() {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto set = [&](int option, int value) {
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_KEEPIDLE, 30);
  set(TCP_KEEPINTVL, 10);
  set(TCP_KEEPCNT, 3);
  set(TCP_USER_TIMEOUT, static_cast<int>(dead_after_.count()));
}

}  // namespace driveshaft::gearman
