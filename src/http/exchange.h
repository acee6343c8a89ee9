// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace driveshaft::http {

class Connection;

// Why there is no usable response. The job that asked fails; nothing else does.
struct Failure {
  enum class Kind {
    unreachable,      // the request never reached the endpoint: name, connect, TLS
    connection_lost,  // closed or reset before the response was complete
    malformed,        // not HTTP
    too_large,        // header or body above its limit
  };
  Kind kind;
  std::string message;
};

// Its views are valid during the call that brings it.
struct Response {
  unsigned status;
  std::string_view body;
  std::string_view retry_after;  // value of that header, or empty
};

// One request and where its answer goes. Owned by who makes it; must stay where it is, its request unchanged,
// from Endpoint::post() until finished() or Endpoint::cancel().
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Called once, never from within post(). May post again, and may destroy the exchange.
  virtual void finished(base::Result<Response, Failure> result) = 0;

 protected:
  ~Exchange() = default;

  // What is known when finished() is called.
  struct Phases {
    std::optional<std::chrono::nanoseconds> connect;     // if a connection was opened for it
    std::optional<std::chrono::nanoseconds> first_byte;  // from the request to the answer
  };
  Phases phases_;

  // Head and body, in order; unused pieces are empty, and come last.
  std::array<boost::asio::const_buffer, 4> request_;

 private:
  friend class Connection;
  friend class Endpoint;
  Connection* connection_ = nullptr;  // that carries it, or will once it is open
};

}  // namespace driveshaft::http
