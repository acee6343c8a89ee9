// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace driveshaft::text {

// RFC 4648 base64 with padding and without line breaks.
std::string base64(std::string_view bytes);

// The bytes whose base64() is `text`; nothing if `text` is not base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace driveshaft::text
