// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "net/asio.h"
#include "net/blocking_calls.h"

namespace driveshaft::net {

// Looks names up as every program of this machine does: getaddrinfo(), with its hosts file, NSS and
// resolv.conf. That call blocks and cannot be cut short, so each name that is being looked up has a thread of
// its own: one that nobody answers for holds up no other name, and not the exit either. On the loop's thread.
class Resolver {
 public:
  using Addresses = std::vector<asio::ip::tcp::endpoint>;  // of port 0, the system's first choice first
  // The error is the reason only ("Name or service not known").
  using Answer = base::Result<Addresses>;
  using Handler = std::function<void(const Answer&)>;

  // When it goes, look-ups under way end by themselves; their handlers are not called.
  explicit Resolver(asio::io_context& loop) : calls_(loop) {}
  Resolver(const Resolver&) = delete;

  asio::io_context& loop() const { return calls_.loop(); }
  // For other calls that block on the way to a connection.
  BlockingCalls& calls() { return calls_; }

  // Calls `handler` once, from the loop and not from within. Who asks for a name that is being looked up
  // shares the answer.
  void look_up(const std::string& host, Handler handler);

 private:
  void answered(const std::string& host, const Answer& answer);

  BlockingCalls calls_;
  std::unordered_map<std::string, std::vector<Handler>> waiting_;  // by name
};

}  // namespace driveshaft::net
