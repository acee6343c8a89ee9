// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/asio.h"
#include "base/error.h"

namespace driveshaft::base {

// Looks names up as every program of this machine does: getaddrinfo(), with its hosts file, NSS and
// resolv.conf. That call blocks and cannot be cut short, so each name that is being looked up has a thread of
// its own: one that nobody answers for holds up no other name, and not the exit either. On the loop's thread.
class Resolver {
 public:
  using Addresses = std::vector<asio::ip::tcp::endpoint>;  // of port 0, the system's first choice first
  // The error is the reason only ("Name or service not known").
  using Answer = Result<Addresses>;
  using Handler = std::function<void(const Answer&)>;

  explicit Resolver(asio::io_context& loop);
  Resolver(const Resolver&) = delete;
  // Leaves look-ups under way to end by themselves; their handlers are not called.
  ~Resolver();

  asio::io_context& loop() const { return loop_; }

  // Calls `handler` once, from the loop and not from within. Who asks for a name that is being looked up
  // shares the answer.
  void look_up(const std::string& host, Handler handler);

 private:
  struct Mailbox;

  void answered(const std::string& host, const Answer& answer);

  asio::io_context& loop_;
  std::unordered_map<std::string, std::vector<Handler>> waiting_;  // by name
  std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace driveshaft::base
