// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "admin/routes.h"
#include "monitor/monitor.h"
#include "net/address.h"

namespace driveshaft::admin {

// Limits on what clients may use. A client that exceeds a limit gets an error answer where HTTP has one, and
// its connection is closed.
struct Limits {
  std::uint32_t header_bytes = 8 * 1024;
  std::uint64_t body_bytes = 4 * 1024;
  std::chrono::milliseconds request{10'000};  // from a request's first byte to its last; then for its answer
  std::chrono::milliseconds keep_alive{60'000};  // between two requests
  std::size_t connections =
      256;  // a further one closes the connection that has waited longest for its client
  std::size_t streams =
      128;  // of them, clients of /api/v1/events; more are told to ask for the status instead
};

// HTTP on the exporter address, in one thread of its own, so that a slow scrape never delays a job.
class Server {
 public:
  // Binds and listens, so that this can be done before privileges are dropped. Requests are answered after
  // start(). Port 0 picks a free one. Throws base::StartupError when the address cannot be bound.
  Server(const net::Address& address, Sources sources, monitor::Watched watched, const Limits& limits = {});
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Starts the thread: after any fork.
  void start();

  // Closes every connection and joins the thread; waits for no client. May be called again.
  void stop();

  // As bound: the literal, and the port that was picked.
  net::Address address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace driveshaft::admin
