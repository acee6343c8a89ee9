// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "net/address.h"
#include "net/asio.h"

// The sockets that the admin server listens on.
namespace driveshaft::admin {

// Listens on the first address of the host that can be bound. Throws base::StartupError.
asio::ip::tcp::acceptor listen(asio::io_context& io, const net::Address& address);

// Says why listen() would fail, or nothing if it would not. It does not listen: the address is bound and
// released at once, so a problem that only listen(2) shows is not found.
struct NotBound {
  std::string why;                   // the message of listen()
  bool in_use = false;               // another process listens there
  asio::ip::tcp::endpoint endpoint;  // the last one that could not be bound
};
std::optional<NotBound> try_to_bind(const net::Address& address);

// Says what stands at the path of the control socket. A process that listens there is connected to, and is
// sent nothing. Throws base::StartupError if a file that is no socket stands there, as bind_control_socket()
// does.
struct ControlSocketUse {
  bool exists = false;
  bool listens = false;  // false: a process that has ended has left the socket behind
  pid_t listener = 0;    // process id of the one that listens, or 0
};
ControlSocketUse look_at_control_socket(const std::string& path);
// The message of such an error.
std::string cannot_control(const std::string& path, std::string_view why);
std::string cannot_control(const std::string& path, const std::error_code& error);

// Listens on a Unix socket at this path. Only the daemon's user and group may connect. A socket that an ended
// process has left there is replaced. Throws base::StartupError.
asio::local::stream_protocol::acceptor bind_control_socket(asio::io_context& io, const std::string& path);

// Takes over a listening TCP socket that another process has handed over. The result owns the descriptor.
asio::ip::tcp::acceptor adopt(asio::io_context& io, int descriptor);

// Closes the socket. `acceptor` keeps its acceptor, which has no socket any more: the coroutine that accepts
// with it has a reference to it. That coroutine gets an error. The acceptor's own close() would leave the
// socket in the event loop's set for as long as another process listens on it; release() takes it out.
template <class Acceptor>
void stop_listening(std::optional<Acceptor>& acceptor) {
  boost::system::error_code ignored;
  if (!acceptor) return;
  const int descriptor = acceptor->release(ignored);
  if (descriptor >= 0) ::close(descriptor);
}

// Who has connected to the control socket, as the kernel reports it: "uid 0, pid 123". Nothing: the kernel
// does not say.
std::optional<std::string> peer_of(int connection);

}  // namespace driveshaft::admin
