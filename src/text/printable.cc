// SPDX-License-Identifier: MIT
#include "text/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "text/utf8.h"

namespace driveshaft::text {
namespace {

bool is_plain(char c) { return c >= 0x20 && c < 0x7f; }

// Tests on eight bytes at once: the top bit of a byte in the result is set if that byte fails the test. A bit
// may be set wrongly behind a byte that fails, but never where none does.
constexpr std::uint64_t kEach = 0x0101'0101'0101'0101;

// Printable ASCII from `least` on, which is 0x20 or 0x21. Of bytes ≥ 0x80 the top bit is set already, adding
// 1 to 0x7f sets it, and so does subtracting `least` from a smaller byte.
constexpr std::uint64_t not_plain(std::uint64_t word, char least) {
  return word | (word + kEach) | (word - kEach * static_cast<unsigned char>(least));
}

constexpr std::uint64_t equal(std::uint64_t word, char c) {
  const std::uint64_t difference = word ^ (kEach * static_cast<unsigned char>(c));
  return (difference - kEach) & ~difference;
}

// Tests of bytes: eight at once, and one.
struct Plain {
  static std::uint64_t fails(std::uint64_t word) { return not_plain(word, ' '); }
  static bool passes(char c) { return is_plain(c); }
};
struct PlainWord {
  static std::uint64_t fails(std::uint64_t word) { return not_plain(word, ' ' + 1); }
  static bool passes(char c) { return is_plain(c) && c != ' '; }
};
// In quotes the other two have a backslash before them.
struct PlainInQuotes {
  static std::uint64_t fails(std::uint64_t word) {
    return not_plain(word, ' ') | equal(word, '"') | equal(word, '\\');
  }
  static bool passes(char c) { return is_plain(c) && c != '"' && c != '\\'; }
};

// How many of the first bytes pass. Most workloads are printable ASCII and nothing else.
template <class Test>
std::size_t prefix(std::string_view bytes) {
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    if (Test::fails(word) & (kEach * 0x80)) break;
  }
  while (i < bytes.size() && Test::passes(bytes[i])) ++i;
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
  std::size_t i = prefix<Plain>(bytes);
  while (i < bytes.size()) {
    const std::size_t length = safe_character(bytes.substr(i));
    if (length == 0) break;
    i += length;
    i += prefix<Plain>(bytes.substr(i));
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

// Whether no byte ends a value or needs an escape.
bool is_bare(std::string_view bytes) {
  if (bytes.starts_with('"')) return false;
  std::size_t i = prefix<PlainWord>(bytes);
  while (i < bytes.size()) {
    const std::size_t length = bytes[i] == ' ' ? 0 : safe_character(bytes.substr(i));
    if (length == 0) return false;
    i += length;
    i += prefix<PlainWord>(bytes.substr(i));
  }
  return true;
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

void append_value(std::string& out, std::string_view bytes, std::size_t limit) {
  if (bytes.size() <= limit && is_bare(bytes)) {
    out.append(bytes);
    return;
  }
  const bool cut = bytes.size() > limit;
  std::string_view rest = cut ? bytes.substr(0, cut_point(bytes, limit)) : bytes;
  out += '"';
  while (true) {
    const std::size_t plain = prefix<PlainInQuotes>(rest);
    out.append(rest, 0, plain);
    rest.remove_prefix(plain);
    if (rest.empty()) break;
    const std::size_t length = safe_character(rest);
    if (length == 0) {
      append_escaped(out, rest[0]);
    } else {
      if (length == 1) out += '\\';
      out.append(rest, 0, length);
    }
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
  if (cut) fmt::format_to(std::back_inserter(out), "… ({} bytes)", bytes.size());
  out += '"';
}

std::string printable(std::string_view bytes, std::size_t limit) {
  std::string out;
  append_printable(out, bytes, limit);
  return out;
}

}  // namespace driveshaft::text
