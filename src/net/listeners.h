// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/asio.h"

// The sockets that listen on TCP ports of this machine, as the kernel lists them in /proc. No connection is
// opened.
namespace driveshaft::net {

struct Listener {
  asio::ip::tcp::endpoint endpoint;
  uid_t user = 0;
  std::uint64_t inode = 0;  // of its socket

  bool operator==(const Listener&) const = default;
};

// The listening sockets in the text of /proc/net/tcp or /proc/net/tcp6. Pure.
std::vector<Listener> parse_listeners(std::string_view table);

// Whether a socket that is bound to `wanted` could not listen beside `other`. Pure.
bool conflicts_with(const asio::ip::tcp::endpoint& other, const asio::ip::tcp::endpoint& wanted);

// The listening sockets of this network namespace.
std::vector<Listener> listeners();

struct Process {
  pid_t pid = 0;
  std::string name;  // of its program, at most 15 bytes; empty if it is not known
};

Process process_of(pid_t pid);
// The process that has the socket of that inode open; nothing if there is none that this user may look at.
std::optional<Process> owner_of_socket(std::uint64_t inode);

}  // namespace driveshaft::net
