// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/exchange.h"

namespace driveshaft::http {

// Reads the header of a CGI response (RFC 3875, section 6), which may come in any number of parts, and keeps
// the fields that are used. Pure. It keeps one line in memory.
class CgiHeader {
 public:
  static constexpr std::size_t kMaxSize = 64 * 1024;  // bytes of all lines together

  void reset();
  // Returns how many bytes it has taken: all, unless the header is done.
  base::Result<std::size_t, Failure> read(std::string_view bytes);

  bool done() const { return done_; }  // the empty line that ends the header has come
  unsigned status() const { return status_ != 0 ? status_ : location_ ? 302 : 200; }
  std::string_view retry_after() const { return retry_after_; }
  std::string_view location() const { return location_ ? *location_ : std::string_view(); }
  bool streams() const;  // the body may be taken in chunks

 private:
  base::Result<void, Failure> read_line(std::string_view line);

  std::string line_;      // the bytes of the line that is being read
  std::size_t size_ = 0;  // of all lines so far
  bool done_ = false;
  unsigned status_ = 0;  // 0: there is no Status line
  bool stream_type_ = false;
  std::string retry_after_;
  std::optional<std::string> location_;
};

}  // namespace driveshaft::http
