// SPDX-License-Identifier: MIT
//
// What the floor program says on the wire: non-blocking sockets and gearmand's packets. One thread; every
// failure ends the program.

#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

enum PacketType : std::uint32_t {
  kCanDo = 1,
  kPreSleep = 4,
  kNoop = 6,
  kNoJob = 10,
  kWorkComplete = 13,
  kGrabJobUniq = 30,
  kJobAssignUniq = 31
};
inline constexpr std::size_t kHeaderSize = 12;

[[noreturn]] inline void die(const char* what) {
  std::fprintf(stderr, "floor: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

inline sockaddr_in address_of(const char* host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
    errno = EINVAL;
    die(host);
  }
  return address;
}

// A connected, non-blocking socket in the epoll set. Edge-triggered in both directions, so that it is
// registered once.
inline int connect_to(int epoll, const sockaddr_in& address, void* owner) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) die("connect");
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.ptr = owner;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
  return fd;
}

// Sends what the socket takes now and returns how much that was.
inline std::size_t send_some(int fd, iovec* parts, int count) {
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = static_cast<std::size_t>(count);
  ssize_t sent = count == 1 ? send(fd, parts->iov_base, parts->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
                            : sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) die("send");
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

// Reads what is there now into [to, to + room) and returns how much that was.
inline std::size_t receive_some(int fd, char* to, std::size_t room) {
  ssize_t got = recv(fd, to, room, MSG_DONTWAIT);
  if (got == 0) die("a peer closed its connection");
  if (got < 0 && errno != EAGAIN) die("recv");
  return got < 0 ? 0 : static_cast<std::size_t>(got);
}

inline std::uint32_t read_u32(const char* from) {
  std::uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return ntohl(value);
}

inline void append_packet(std::string& to, PacketType type, std::string_view a = {},
                          std::string_view b = {}) {
  char header[kHeaderSize] = {'\0', 'R', 'E', 'Q'};
  std::uint32_t size = static_cast<std::uint32_t>(a.size() + b.size());
  std::uint32_t words[2] = {htonl(type), htonl(size)};
  std::memcpy(header + 4, words, sizeof words);
  to.append(header, sizeof header).append(a).append(b);
}

inline std::string_view take_until_nul(std::string_view& from) {
  std::string_view part = from.substr(0, from.find('\0'));
  from.remove_prefix(part.size() + 1);
  return part;
}
