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

// Looks names up as every program of this machine does: by getaddrinfo(), which uses the hosts file, NSS and
// resolv.conf. That call blocks and cannot be cancelled. So each name that is being looked up has a thread of
// its own, and a name without an answer delays neither another name nor the exit. On the loop's thread.
class Resolver {
 public:
  using Addresses = std::vector<asio::ip::tcp::endpoint>;  // with port 0, in the system's order of preference
  // The error gives the reason only ("Name or service not known").
  using Answer = base::Result<Addresses>;
  using Handler = std::function<void(const Answer&)>;

  // After its destruction the handlers of look-ups in progress are not called.
  explicit Resolver(asio::io_context& loop) : calls_(loop) {}
  Resolver(const Resolver&) = delete;

  asio::io_context& loop() const { return calls_.loop(); }
  // For the other blocking calls that a connection needs.
  BlockingCalls& calls() { return calls_; }

  // The loop calls `handler` once, never from within look_up(). Callers that ask for a name that is being
  // looked up share the answer. May throw std::bad_alloc; then `handler` is not called.
  void look_up(const std::string& host, Handler handler);

 private:
  void begin(const std::string& host);
  void answered(const std::string& host, const Answer& answer);

  BlockingCalls calls_;
  std::unordered_map<std::string, std::vector<Handler>> waiting_;  // by name
};

}  // namespace driveshaft::net
