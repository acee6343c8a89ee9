// SPDX-License-Identifier: MIT
#pragma once

#include <boost/locale/utf.hpp>
#include <cstddef>
#include <string_view>

namespace driveshaft::text {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Whether the byte continues a character of UTF-8. Any other byte begins one.
constexpr bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Bytes of the UTF-8 character at the start of `text`; 0 if there is none, valid and whole (RFC 3629: no
// overlong forms, no surrogates, nothing beyond U+10FFFF).
inline std::size_t utf8_length(std::string_view text) {
  namespace utf = boost::locale::utf;
  const char* end = text.data();
  const auto character = utf::utf_traits<char>::decode(end, text.data() + text.size());
  return utf::is_valid_codepoint(character) ? static_cast<std::size_t>(end - text.data()) : 0;
}

}  // namespace driveshaft::text
