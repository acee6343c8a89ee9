// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "net/asio.h"

namespace driveshaft::net {

// For tests: accepts connections on the loopback, in the test's loop.
class TestAcceptor {
 public:
  using Tcp = asio::ip::tcp;
  using OnConnection = std::function<void(Tcp::socket)>;

  TestAcceptor(asio::io_context& loop, OnConnection on_connection)
      : acceptor_(loop, {asio::ip::address_v4::loopback(), 0}),
        address_(acceptor_.local_endpoint()),
        on_connection_(std::move(on_connection)) {
    accept();
  }

  std::uint16_t port() const { return address_.port(); }
  // Connections are refused until start(), which listens on the same port again.
  void stop() { acceptor_.close(); }
  void start() {
    acceptor_.open(Tcp::v4());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(address_);
    acceptor_.listen();
    accept();
  }

 private:
  void accept() {
    acceptor_.async_accept([this](const auto& error, Tcp::socket socket) {
      if (error) return;
      on_connection_(std::move(socket));
      accept();
    });
  }

  Tcp::acceptor acceptor_;
  const Tcp::endpoint address_;
  const OnConnection on_connection_;
};

}  // namespace driveshaft::net
