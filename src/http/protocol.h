// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/error.h"
#include "http/exchange.h"
#include "net/asio.h"
#include "net/stream.h"

namespace driveshaft::http {

// The protocol of one connection, without I/O: it turns requests into bytes to write, and bytes that were
// read into responses, one exchange after another.
class Protocol {
 public:
  virtual ~Protocol() = default;

  // The connection is open.
  virtual void opened(const net::Stream::Socket& /*socket*/) {}

  // Begins an exchange. `request` is the head of an HTTP request and its body; the bytes stay where they are
  // until the exchange is over. The body of the response has at most `max_body` bytes. With `streams`, the
  // body of a streamed response may have any length, and is to be taken in chunks.
  virtual void start(std::span<const asio::const_buffer> request, std::size_t max_body, bool streams) = 0;

  // The next bytes of the request, for one write; empty when all bytes are written(). Valid until the next
  // call.
  virtual std::span<const asio::const_buffer> unwritten() = 0;
  virtual void written(std::size_t bytes) = 0;

  // Reads from the front of `bytes` and returns how many bytes it has taken. The rest must be given again,
  // with more bytes behind it. After done() no bytes are taken.
  virtual base::Result<std::size_t, Failure> read(std::string_view bytes) = 0;
  // The stream has ended. This completes the response, or the error says why there is no response.
  virtual base::Result<void, Failure> end_of_stream() = 0;

  virtual bool started() const = 0;       // a byte of the response has come
  virtual bool done() const = 0;          // the response is complete
  virtual Response response() const = 0;  // when done
  // The bytes of a streamed response that have come and are not taken yet. Empty for any other response.
  virtual std::string_view chunk() const = 0;
  virtual void chunk_taken() = 0;

  // Whole lines that the endpoint wrote to stderr and that are not taken yet, each with its newline. When the
  // exchange is `over`, the last line is among them even if its end has not come.
  virtual std::string_view stderr_lines(bool /*over*/) { return {}; }
  virtual void stderr_lines_taken() {}
};

}  // namespace driveshaft::http
