// SPDX-License-Identifier: MIT
#include "admin/listen.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/exit_codes.h"

namespace driveshaft::admin {
namespace {

using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

std::string cannot_listen(const net::Address& address, const error_code& error) {
  const char* remedy = error == asio::error::access_denied
                           ? "start as root, with --user if you like, or name a port from 1024 on with"
                           : "name a free address of this machine with";
  return fmt::format("cannot listen on {} for metrics: {}; {} --exporter_addr, or an empty one for none",
                     net::to_string(address), error.message(), remedy);
}

// The socket bound to the first address of the host for which that works.
struct Bound {
  std::optional<tcp::acceptor> acceptor;
  error_code error;        // why there is no acceptor
  tcp::endpoint endpoint;  // the last one that was tried
};

Bound bind(asio::io_context& io, const net::Address& address, bool listens) {
  Bound bound;
  auto& error = bound.error;
  tcp::resolver resolver(io);
  const auto endpoints =
      resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, error);
  if (error) return bound;
  for (const auto& entry : endpoints) {
    bound.endpoint = entry.endpoint();
    tcp::acceptor acceptor(io);
    acceptor.open(bound.endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(bound.endpoint, error);
    if (!error && listens) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) continue;
    bound.acceptor.emplace(std::move(acceptor));
    break;
  }
  return bound;
}

}  // namespace

tcp::acceptor listen(asio::io_context& io, const net::Address& address) {
  auto bound = bind(io, address, /*listens=*/true);
  if (bound.acceptor) return std::move(*bound.acceptor);
  throw base::StartupError(base::kExitExporter, cannot_listen(address, bound.error));
}

std::optional<NotBound> try_to_bind(const net::Address& address) {
  asio::io_context io;
  const auto bound = bind(io, address, /*listens=*/false);
  if (bound.acceptor) return std::nullopt;
  return NotBound{cannot_listen(address, bound.error), bound.error == asio::error::address_in_use,
                  bound.endpoint};
}

tcp::acceptor adopt(asio::io_context& io, int descriptor) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size);
  return {io, bound.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), descriptor};
}

std::string cannot_control(const std::string& path, std::string_view why) {
  return fmt::format(
      "cannot listen on {} for control: {}; name another path with --control_socket, in a directory that can "
      "be written",
      path, why);
}

std::string cannot_control(const std::string& path, const std::error_code& error) {
  if (error != std::errc::no_such_file_or_directory) return cannot_control(path, error.message());
  const auto directory = std::filesystem::path(path).parent_path().string();
  return cannot_control(path, fmt::format("the directory {} does not exist", directory));
}

ControlSocketUse look_at_control_socket(const std::string& path) {
  const auto fail = [&](const char* why) {
    throw base::StartupError(base::kExitExporter, cannot_control(path, why));
  };
  if (path.size() >= sizeof(sockaddr_un::sun_path)) fail("the path of a socket may have 107 bytes");
  struct stat file = {};
  if (::lstat(path.c_str(), &file) != 0) return {};
  if (!S_ISSOCK(file.st_mode)) fail("there is a file of that name, which is no socket");
  asio::io_context io;
  error_code error;
  stream_protocol::socket other(io);
  other.connect(stream_protocol::endpoint(path), error);
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!error) ::getsockopt(other.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
  return {.exists = true, .listens = !error, .listener = peer.pid};
}

stream_protocol::acceptor bind_control_socket(asio::io_context& io, const std::string& path) {
  const auto fail = [&](const auto& why) {
    throw base::StartupError(base::kExitExporter, cannot_control(path, why));
  };
  const auto there = look_at_control_socket(path);
  if (there.listens) fail("another process listens there");
  if (there.exists) ::unlink(path.c_str());
  const stream_protocol::endpoint endpoint(path);
  error_code error;
  stream_protocol::acceptor acceptor(io);
  const mode_t before = ::umask(0117);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.bind(endpoint, error);
  ::umask(before);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) fail(std::error_code(error));
  return acceptor;
}

std::optional<std::string> peer_of(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
  return fmt::format("uid {}, pid {}", peer.uid, peer.pid);
}

}  // namespace driveshaft::admin
