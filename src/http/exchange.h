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

// So many bytes of a response's memory are kept for the next response.
inline constexpr std::size_t kKeptBody = 64 * 1024;

// So many bytes of what is not a response are shown in the error.
inline constexpr std::size_t kShownBytes = 80;

// Why there is no usable response. This costs one attempt at one job.
struct Failure {
  enum class Kind {
    unreachable,      // the request never reached the endpoint: name, connect, TLS
    full,             // likewise: the endpoint takes no more connections, or too slowly
    connection_lost,  // closed or reset before the response was complete
    // The connection broke at once. Most likely the endpoint has not read the request: it had closed a
    // kept-alive connection just before, or it is a server that ends.
    stale_connection,
    malformed,   // not HTTP, or not FastCGI
    too_large,   // header or body above its limit
    overloaded,  // the endpoint says that it cannot take the request now
  };
  Kind kind;
  std::string message;
  bool denied = false;  // unreachable: a Unix socket that this user may not open
};

// The type of a response whose body may be taken in chunks, as they come.
inline constexpr std::string_view kStreamedType = "application/x-ndjson";
// Whether a Content-Type is that type, with or without parameters.
bool is_streamed_type(std::string_view content_type);

// A complete response. Its views are valid during the call that has it as an argument.
struct Response {
  unsigned status;
  std::string_view body;
  std::string_view retry_after;    // value of that header, or empty
  std::string_view location = {};  // likewise
  bool keep_alive = false;         // its connection can carry another request
  bool streamed = false;           // the body came in chunks; `body` is empty
};

// One request, and the functions that are called with its response. Whoever makes an exchange owns it. It
// must not move, and its request must not change, from Endpoint::post() until finished() or
// Endpoint::cancel().
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // The exchange is over. Called once, never from within post(). It may post again, and may destroy the
  // exchange.
  virtual void finished(base::Result<Response, Failure> result) = 0;

  // The next bytes of a streamed response, which has the type kStreamedType and a status 2xx. Called if
  // streams_ is set. False: the connection reads no more until Endpoint::resume_reading() (backpressure). A
  // failure ends the exchange, and finished() is called with it.
  virtual base::Result<bool, Failure> on_chunk(std::string_view /*bytes*/) { return true; }

  // Lines, each with its newline, that a FastCGI script wrote to stderr while it worked on the request. Their
  // total length is bounded. Never called from within post().
  virtual void on_stderr(std::string_view /*lines*/) {}

  // The head and then the body; the head is in the first buffer. Unused buffers are empty, and come last.
  using Request = std::array<boost::asio::const_buffer, 4>;

 protected:
  ~Exchange() = default;

  // Takes a streamed response in chunks, of any total length. False: finished() gets the whole body.
  bool streams_ = false;

  // Known when finished() is called.
  struct Phases {
    std::optional<std::chrono::nanoseconds> connect;     // if a connection was opened for it
    std::optional<std::chrono::nanoseconds> first_byte;  // from the request to the response
  };
  Phases phases_;

  Request request_;

 private:
  friend class Connection;
  friend class Endpoint;
  Connection* connection_ = nullptr;  // carries this exchange, or will carry it once it is open
};

}  // namespace driveshaft::http
