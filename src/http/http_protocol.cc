// SPDX-License-Identifier: MIT
#include "http/http_protocol.h"

#include <algorithm>

namespace driveshaft::http {

void HttpProtocol::start(std::span<const asio::const_buffer> request, std::size_t max_body, bool streams) {
  first_ = 0;
  count_ = 0;
  for (const auto& piece : request) {
    if (piece.size() > 0) rest_[count_++] = piece;
  }
  reader_.reset(max_body, streams);
}

void HttpProtocol::written(std::size_t bytes) {
  while (count_ > 0) {
    const std::size_t of_this = std::min(bytes, rest_[first_].size());
    rest_[first_] += of_this;
    bytes -= of_this;
    if (rest_[first_].size() > 0) return;
    ++first_;
    --count_;
  }
}

Response HttpProtocol::response() const {
  return {reader_.status(), reader_.body(), reader_.retry_after(), reader_.keep_alive(), reader_.streamed()};
}

}  // namespace driveshaft::http
