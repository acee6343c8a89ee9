// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

// Text as JSON writes it. Pure.
namespace driveshaft::text {

// Whether a JSON string has the bytes as they are: all are ASCII, and none has to be escaped.
bool is_plain_in_json(std::string_view bytes);

// Appends `bytes` as a JSON string, with its quotes. Each byte that is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view bytes);

// Appends `bytes` as the inside of a JSON string, without the quotes. False: not all of it is UTF-8, and only
// a part of it has been appended.
bool append_as_json(std::string& out, std::string_view bytes);

}  // namespace driveshaft::text
