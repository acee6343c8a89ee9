// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/exchange.h"

namespace driveshaft::http {

// The header of a CGI response (RFC 3875, section 6) out of pieces of bytes: keeps what is used. Pure.
// Memory: its longest line.
class CgiHeader {
 public:
  static constexpr std::size_t kMaxSize = 64 * 1024;  // bytes, all lines together

  void reset();
  // Says how many bytes it took: all, unless it is done.
  base::Result<std::size_t, Failure> read(std::string_view bytes);

  bool done() const { return done_; }  // the empty line that ends it was seen
  unsigned status() const { return status_ != 0 ? status_ : redirects_ ? 302 : 200; }
  std::string_view retry_after() const { return retry_after_; }
  bool streams() const;  // as an Exchange may take it

 private:
  base::Result<void, Failure> read_line(std::string_view line);

  std::string line_;      // the present one, as far as it has come
  std::size_t size_ = 0;  // of all so far
  bool done_ = false;
  unsigned status_ = 0;  // not told: 0
  bool redirects_ = false;
  bool stream_type_ = false;
  std::string retry_after_;
};

}  // namespace driveshaft::http
