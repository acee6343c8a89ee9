// SPDX-License-Identifier: MIT
#include "base/base64.h"

#include <openssl/evp.h>

#include <algorithm>

namespace driveshaft::base {

std::string base64(std::string_view bytes) {
  // OpenSSL counts in int; a chunk that is a multiple of three leaves no padding in the middle.
  constexpr std::size_t kChunk = 3 * (std::size_t{1} << 20);
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  auto* out = reinterpret_cast<unsigned char*>(text.data());
  while (!bytes.empty()) {
    const auto chunk = bytes.substr(0, std::min(kChunk, bytes.size()));
    // Writes a terminating NUL too: the next chunk or the string's own terminator takes its place.
    out += EVP_EncodeBlock(out, reinterpret_cast<const unsigned char*>(chunk.data()),
                           static_cast<int>(chunk.size()));
    bytes.remove_prefix(chunk.size());
  }
  return text;
}

}  // namespace driveshaft::base
