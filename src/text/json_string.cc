// SPDX-License-Identifier: MIT
#include "text/json_string.h"

#include <algorithm>
#include <cstddef>

#include "text/utf8.h"

namespace driveshaft::text {
namespace {

// GCC compiles such a function twice; at start-up the dynamic linker picks the version that the processor can
// run. ThreadSanitizer would instrument the code that picks, which runs before ThreadSanitizer is ready.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define DRIVESHAFT_VECTOR_CODE [[gnu::target_clones("avx2", "default")]]
#else
#define DRIVESHAFT_VECTOR_CODE
#endif

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Whether a byte is not ASCII, or must be escaped in a JSON string.
constexpr bool is_special(char c) { return static_cast<signed char>(c) < 0x20 || c == '"' || c == '\\'; }

void append_json_escape(std::string& out, unsigned char c) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
  }
}

// Without `lossy` it stops at the first byte that is not UTF-8 and returns false; with `lossy` it writes
// U+FFFD for that byte.
bool append_inside(std::string& out, std::string_view text, bool lossy) {
  std::size_t plain_from = 0;
  std::size_t at = 0;
  const auto flush = [&] { out.append(text, plain_from, at - plain_from); };
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (!is_special(text[at])) {
      ++at;
    } else if (const std::size_t length = c < 0x80 ? 0 : utf8_length(text.substr(at)); length > 0) {
      at += length;
    } else if (c < 0x80) {
      flush();
      append_json_escape(out, c);
      plain_from = ++at;
    } else if (lossy) {
      flush();
      out += kReplacement;
      plain_from = ++at;
    } else {
      return false;
    }
  }
  flush();
  return true;
}

}  // namespace

// For big jobs most of the time is spent here, so it is written so that compilers make vector code of it: few
// operations and no branch for each byte. As signed numbers, bytes from 0x80 are negative. The xor moves '"'
// next to the control characters and keeps both groups together.
DRIVESHAFT_VECTOR_CODE bool is_plain_in_json(std::string_view text) {
  constexpr std::size_t kBlock = 1024;
  while (!text.empty()) {
    signed char special = 0;
    for (const char c : text.substr(0, kBlock)) {
      const signed char low_or_quote = static_cast<signed char>(c ^ 2) < 0x21 ? -1 : 0;
      const signed char backslash = c == '\\' ? -1 : 0;
      special = static_cast<signed char>(special | low_or_quote | backslash);
    }
    if (special != 0) return false;
    text.remove_prefix(std::min(kBlock, text.size()));
  }
  return true;
}

void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  append_inside(out, bytes, /*lossy=*/true);
  out += '"';
}

bool append_as_json(std::string& out, std::string_view bytes) {
  return append_inside(out, bytes, /*lossy=*/false);
}

}  // namespace driveshaft::text
