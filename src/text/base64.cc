// SPDX-License-Identifier: MIT
#include "text/base64.h"

#include <openssl/evp.h>

#include <algorithm>

namespace driveshaft::text {

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

std::optional<std::string> from_base64(std::string_view text) {
  constexpr std::size_t kMost = std::size_t{1} << 30;  // OpenSSL counts in int
  if (text.size() % 4 != 0 || text.size() > kMost) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int decoded =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (decoded < 0) return std::nullopt;
  // OpenSSL counts padding as zero bytes.
  for (std::size_t end = text.size(); end > 0 && text[end - 1] == '=' && !bytes.empty(); --end)
    bytes.pop_back();
  // OpenSSL also accepts spaces, and unused bits that are not zero.
  if (base64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace driveshaft::text
