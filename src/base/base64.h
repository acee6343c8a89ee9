// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace driveshaft::base {

// RFC 4648 base64 with padding and without line breaks.
std::string base64(std::string_view bytes);

}  // namespace driveshaft::base
