// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "net/asio.h"

namespace driveshaft::http {

// The rest of `buffers` after their first `bytes`. If none of them is empty, none of the rest is.
inline std::span<asio::const_buffer> skip_bytes(std::span<asio::const_buffer> buffers, std::size_t bytes) {
  while (!buffers.empty()) {
    const std::size_t of_this = std::min(bytes, buffers.front().size());
    buffers.front() += of_this;
    bytes -= of_this;
    if (buffers.front().size() > 0) break;
    buffers = buffers.subspan(1);
  }
  return buffers;
}

}  // namespace driveshaft::http
