// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/exchange.h"

namespace driveshaft::http {

// Reads one HTTP/1 response out of a stream of bytes. Pure: no socket. It skips 1xx responses, and keeps only
// the header fields that are used. Memory: the body, up to its limit.
class ResponseReader {
 public:
  static constexpr std::size_t kMaxHeader = 64 * 1024;
  static constexpr int kMaxInterim = 100;  // 1xx responses before the final one

  ResponseReader();
  ~ResponseReader();

  // Begins a new response with a body of at most `max_body` bytes. With `streams`, the body of a response of
  // kStreamedType with a status 2xx may have any length, and is to be taken in chunks.
  void reset(std::size_t max_body, bool streams = false);

  // Reads from the front of `bytes` and returns how many bytes it has taken. The rest must be given again,
  // with more bytes behind it. After done() no bytes are taken.
  base::Result<std::size_t, Failure> read(std::string_view bytes);
  // The stream has ended. This completes a body without a stated length.
  base::Result<void, Failure> end_of_stream();

  bool started() const;  // a byte of the response has come
  bool done() const;
  unsigned status() const;
  std::string_view retry_after() const;  // value of that header, or empty
  std::string_view location() const;     // likewise
  bool keep_alive() const;               // the connection may be used again; only when done
  std::string_view body() const { return body_; }
  bool streamed() const;  // the body is to be taken in chunks; otherwise all of it is kept
  void body_taken() { body_.clear(); }

 private:
  class Parser;
  void start();

  std::unique_ptr<std::optional<Parser>> parser_;
  std::string body_;
  std::size_t max_body_ = 0;
  bool streams_ = false;
  bool started_ = false;
  int interim_ = 0;  // 1xx responses skipped
};

}  // namespace driveshaft::http
