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

// What is said on a connection: the bytes of a request, made of its pieces, and a response, read out of
// bytes. One exchange after another; one for each connection. No I/O.
class Protocol {
 public:
  virtual ~Protocol() = default;

  // The connection is open.
  virtual void opened(const net::Stream::Socket& /*socket*/) {}

  // Starts on an exchange. `request` is its head, as that of an HTTP request, and its body, and stays as it
  // is until the exchange is over. The response has a body of at most `max_body` bytes; with `streams`, one
  // that streams may have any length, and is to be taken in pieces.
  virtual void start(std::span<const asio::const_buffer> request, std::size_t max_body, bool streams) = 0;

  // The next bytes of the request, as much as makes one good write; empty when all are written().
  virtual std::span<const asio::const_buffer> unwritten() = 0;
  virtual void written(std::size_t bytes) = 0;

  // Reads from the front of `bytes` and says how many it took; the rest must be given again with more behind
  // it. Nothing after done() is taken.
  virtual base::Result<std::size_t, Failure> read(std::string_view bytes) = 0;
  // The stream has ended: this completes a response, or is why there is none.
  virtual base::Result<void, Failure> end_of_stream() = 0;

  virtual bool started() const = 0;       // a byte of the response was seen
  virtual bool done() const = 0;          // with the response
  virtual Response response() const = 0;  // when done
  // What there is of a streamed response, until it is taken; else empty.
  virtual std::string_view piece() const = 0;
  virtual void piece_taken() = 0;

  // Whole lines of what was said beside the response, each with its newline, until they are taken; when the
  // exchange is `over`, with the last one, whole or not.
  virtual std::string_view remarks(bool /*over*/) { return {}; }
  virtual void remarks_taken() {}
};

}  // namespace driveshaft::http
