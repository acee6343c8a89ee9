// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace driveshaft::text {

// `bytes` cut to `limit` of them, with control characters and invalid UTF-8 escaped as \xNN and a note of how
// many there were if some were cut ("… (1048576 bytes)"): safe as a part of one log line. Appends to `out`.
void append_printable(std::string& out, std::string_view bytes, std::size_t limit);
std::string printable(std::string_view bytes, std::size_t limit);

// The value behind `key=` in a log line: as it is if it is printable, without spaces, and does not begin with
// a quote; else in double quotes, with `"` and `\` behind a backslash and what is not printable as \xNN. Cut
// like printable().
void append_value(std::string& out, std::string_view bytes, std::size_t limit);

}  // namespace driveshaft::text
