// SPDX-License-Identifier: MIT
#include "text/printable.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <iterator>

#include "text/utf8.h"

namespace driveshaft::text {
namespace {

bool is_plain(char c) { return c >= 0x20 && c < 0x7f; }

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Whether one of eight bytes is not printable ASCII. The top bit of such a byte is set: in bytes ≥ 0x80 it is
// already, adding 1 to 0x7f sets it, and so does subtracting 0x20 from a smaller byte. A carry into the next
// byte comes only from a byte that is not printable.
bool any_not_plain(const char* eight) {
  constexpr std::uint64_t kEach = 0x0101'0101'0101'0101;
  std::uint64_t word = 0;
  std::memcpy(&word, eight, sizeof word);
  return ((word | (word + kEach) | (word - kEach * 0x20)) & (kEach * 0x80)) != 0;
}

// How many of the first bytes are printable ASCII. Most workloads are nothing else.
std::size_t plain_prefix(std::string_view bytes) {
  std::size_t i = 0;
  while (i + 8 <= bytes.size() && !any_not_plain(bytes.data() + i)) i += 8;
  while (i < bytes.size() && is_plain(bytes[i])) ++i;
  return i;
}

// Length of the character at the start of `bytes` if it may go to a terminal as it is, otherwise 0: not if it
// is broken or a control character (C0, DEL, or C1, which UTF-8 writes as c2 80 … c2 9f).
std::size_t safe_character(std::string_view bytes) {
  const std::size_t length = utf8_length(bytes);
  if (length == 1) return is_plain(bytes[0]) ? 1 : 0;
  const bool c1_control = length == 2 && bytes[0] == '\xc2' && static_cast<unsigned char>(bytes[1]) < 0xa0;
  return c1_control ? 0 : length;
}

// How many of the first bytes may go to a terminal as they are.
std::size_t safe_prefix(std::string_view bytes) {
  std::size_t i = plain_prefix(bytes);
  while (i < bytes.size()) {
    const std::size_t length = safe_character(bytes.substr(i));
    if (length == 0) break;
    i += length;
    i += plain_prefix(bytes.substr(i));
  }
  return i;
}

// Where to cut `bytes` so that at most `limit` are kept and no valid character is halved.
std::size_t cut_point(std::string_view bytes, std::size_t limit) {
  for (std::size_t back = 0; back <= 3 && back <= limit; ++back) {
    const std::size_t start = limit - back;
    if (is_continuation(bytes[start])) continue;
    return start + safe_character(bytes.substr(start)) > limit ? start : limit;
  }
  return limit;
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  const char escaped[] = {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  out.append(escaped, sizeof escaped);
}

}  // namespace

void append_printable(std::string& out, std::string_view bytes, std::size_t limit) {
  const bool cut = bytes.size() > limit;
  std::string_view rest = cut ? bytes.substr(0, cut_point(bytes, limit)) : bytes;
  while (true) {
    const std::size_t safe = safe_prefix(rest);
    out.append(rest, 0, safe);
    if (safe == rest.size()) break;
    append_escaped(out, rest[safe]);
    rest.remove_prefix(safe + 1);
  }
  if (cut) fmt::format_to(std::back_inserter(out), "… ({} bytes)", bytes.size());
}

std::string printable(std::string_view bytes, std::size_t limit) {
  std::string out;
  append_printable(out, bytes, limit);
  return out;
}

}  // namespace driveshaft::text
