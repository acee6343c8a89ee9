// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/secret.h"

// What users may put into a request: headers of their own, and the secrets that it is signed with. Pure.
// Errors never show a value: it may be a secret, even where it stands in the wrong place.
namespace driveshaft::config {

inline constexpr std::size_t kMaxHeaders = 50;
inline constexpr std::size_t kMaxHeaderName = 100;        // bytes
inline constexpr std::size_t kMaxHeaderValue = 8 * 1024;  // bytes
inline constexpr std::size_t kMaxSecretFile = 64 * 1024;  // bytes
inline constexpr std::size_t kMaxSigningSecrets = 2;      // a new one beside the old one
inline constexpr std::size_t kMinSigningKey = 24;         // bytes, as Standard Webhooks has it
inline constexpr std::size_t kMaxSigningKey = 64;         // bytes

// Checks that HTTP allows the name, and that it is none that Driveshaft sends itself or that must not be
// sent.
base::Result<void> check_header_name(std::string_view name);

// Checks that the value is visible ASCII, with spaces and tabs only inside.
base::Result<void> check_header_value(std::string_view value);

// The value that a file holds, which may end with a line break.
base::Result<text::Secret> header_value_of_file(std::string_view content);

// The secrets of a file, decoded: "whsec_" and base64, one a line.
base::Result<std::vector<text::Secret>> signing_keys_of_file(std::string_view content);

}  // namespace driveshaft::config
