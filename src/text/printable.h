// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace driveshaft::text {

// Appends the first `limit` bytes of `bytes`, safe as a part of one log line: control characters and invalid
// UTF-8 are escaped as \xNN. If bytes are cut off, a note says how many there were ("… (1048576 bytes)").
void append_printable(std::string& out, std::string_view bytes, std::size_t limit);
std::string printable(std::string_view bytes, std::size_t limit);

// Appends the value behind `key=` in a log line. A value that is printable, has no spaces and does not begin
// with a quote stays as it is. Any other value is put in double quotes, with a backslash before `"` and `\`,
// and \xNN for bytes that are not printable. It is cut as by append_printable().
void append_value(std::string& out, std::string_view bytes, std::size_t limit);

}  // namespace driveshaft::text
