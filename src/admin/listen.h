// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>

#include "net/address.h"
#include "net/asio.h"

// The sockets that the admin server listens on.
namespace driveshaft::admin {

// Listens on the first endpoint of the name that can be bound. Throws base::StartupError.
asio::ip::tcp::acceptor listen(asio::io_context& io, const net::Address& address);

// Why listen() could not, as far as it shows without listening: the address is bound, and free again at once.
struct NotBound {
  std::string why;                   // as listen() says it
  bool in_use = false;               // another process listens there
  asio::ip::tcp::endpoint endpoint;  // that could not be bound
};
std::optional<NotBound> try_to_bind(const net::Address& address);

// What bind_control_socket() finds at that path. Throws base::StartupError if it is nothing that it would
// replace. Whoever listens is connected to, and is not asked anything.
struct ControlSocketUse {
  bool exists = false;
  bool listens = false;  // false: a process has left the socket behind
  pid_t listener = 0;    // the process
};
ControlSocketUse look_at_control_socket(const std::string& path);
// What is said of it.
std::string cannot_control(const std::string& path, std::string_view why);

// Only the daemon's user and group may connect. A socket that a process has left behind is replaced. Throws
// base::StartupError.
asio::local::stream_protocol::acceptor bind_control_socket(asio::io_context& io, const std::string& path);

// One that another process has handed over.
asio::ip::tcp::acceptor adopt(asio::io_context& io, int descriptor);

// Unlike close(), this takes the socket out of the event loop's set, where it would otherwise stay as long as
// another process listens on it.
template <class Acceptor>
void stop_listening(std::optional<Acceptor>& acceptor) {
  boost::system::error_code ignored;
  if (!acceptor) return;
  const int descriptor = acceptor->release(ignored);
  if (descriptor >= 0) ::close(descriptor);
}

// Who has connected to the control socket, as the kernel says: "uid 0, pid 123".
std::optional<std::string> peer_of(int connection);

}  // namespace driveshaft::admin
