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
    full,             // likewise: the endpoint takes no more connections, or too slowly
    connection_lost,  // closed or reset before the response was complete
    // A kept-alive connection that the endpoint had closed just before: it has not read the request.
    stale_connection,
    malformed,   // not HTTP, or not FastCGI
    too_large,   // header or body above its limit
    overloaded,  // the endpoint says that it cannot take the request now
  };
  Kind kind;
  std::string message;
};

// The type of a response whose body may be taken in pieces, as it comes.
inline constexpr std::string_view kStreamedType = "application/x-ndjson";
// Whether a Content-Type is that, with or without parameters.
bool is_streamed_type(std::string_view content_type);

// Its views are valid during the call that brings it.
struct Response {
  unsigned status;
  std::string_view body;
  std::string_view retry_after;  // value of that header, or empty
  bool keep_alive = false;       // its connection can carry another request
  bool streamed = false;         // the body came in pieces, and is empty here
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

  // The next bytes of a streamed response: one of kStreamedType and a status 2xx, for an exchange that
  // streams_. False: no more of it is read until Endpoint::read_on(). A failure ends the exchange, and
  // finished() has it.
  virtual base::Result<bool, Failure> piece(std::string_view /*bytes*/) { return true; }

  // Lines of text, each with its newline, that the endpoint wrote for its log while it worked on the request:
  // a FastCGI script's errors. Of bounded length altogether; never within post().
  virtual void remarked(std::string_view /*lines*/) {}

  // Head and body, in order, the head in the first piece; unused ones are empty, and come last.
  using Request = std::array<boost::asio::const_buffer, 4>;

 protected:
  ~Exchange() = default;

  bool streams_ =
      false;  // takes a streamed response in pieces, of any length altogether; else it gets it whole

  // What is known when finished() is called.
  struct Phases {
    std::optional<std::chrono::nanoseconds> connect;     // if a connection was opened for it
    std::optional<std::chrono::nanoseconds> first_byte;  // from the request to the answer
  };
  Phases phases_;

  Request request_;

 private:
  friend class Connection;
  friend class Endpoint;
  Connection* connection_ = nullptr;  // that carries it, or will once it is open
};

}  // namespace driveshaft::http
