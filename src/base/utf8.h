// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace driveshaft::base {

// Bytes of the UTF-8 character at the start of `text`; 0 if there is none, valid and whole (RFC 3629: no
// overlong forms, no surrogates, nothing beyond U+10FFFF).
std::size_t utf8_length(std::string_view text);

// `character` is at most U+10FFFF.
void append_utf8(std::string& out, char32_t character);

}  // namespace driveshaft::base
