// SPDX-License-Identifier: MIT
#include "http/fastcgi_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace driveshaft::http {

// Scripts may ask for the address of their client. Through a Unix socket the client is this machine.
void FastcgiProtocol::opened(const net::Stream::Socket& socket) {
  boost::system::error_code error;
  const auto end = socket.local_endpoint(error);
  char address[INET6_ADDRSTRLEN] = "127.0.0.1";
  int port = 0;
  const auto* generic = end.data();
  if (!error && generic->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(generic);
    ::inet_ntop(AF_INET, &v4->sin_addr, address, sizeof address);
    port = ntohs(v4->sin_port);
  } else if (!error && generic->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(generic);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof address);
    port = ntohs(v6->sin6_port);
  }
  std::string params;
  append_pair(params, "REMOTE_ADDR", address);
  append_pair(params, "REMOTE_PORT", std::to_string(port));
  request_.add_params(params);
}

}  // namespace driveshaft::http
