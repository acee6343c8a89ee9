// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "net/asio.h"

namespace driveshaft::http {

// What is left of `pieces` when `bytes` of them are written: none of them empty, if none was.
inline std::span<asio::const_buffer> left_of(std::span<asio::const_buffer> pieces, std::size_t bytes) {
  while (!pieces.empty()) {
    const std::size_t of_this = std::min(bytes, pieces.front().size());
    pieces.front() += of_this;
    bytes -= of_this;
    if (pieces.front().size() > 0) break;
    pieces = pieces.subspan(1);
  }
  return pieces;
}

}  // namespace driveshaft::http
