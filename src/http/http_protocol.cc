// SPDX-License-Identifier: MIT
#include "http/http_protocol.h"

#include <algorithm>

namespace driveshaft::http {

void HttpProtocol::start(std::span<const asio::const_buffer> request, std::size_t max_body, bool streams) {
  const auto end = std::copy_if(request.begin(), request.end(), buffers_.begin(),
                                [](const auto& buffer) { return buffer.size() > 0; });
  rest_ = {buffers_.begin(), end};
  reader_.reset(max_body, streams);
}

Response HttpProtocol::response() const {
  return {reader_.status(),   reader_.body(),       reader_.retry_after(),
          reader_.location(), reader_.keep_alive(), reader_.streamed()};
}

}  // namespace driveshaft::http
