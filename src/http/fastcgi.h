// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

// The part of FastCGI 1.0 that a client needs which sends one request at a time on a connection.
// https://fastcgi-archives.github.io/FastCGI_Specification.html
namespace driveshaft::http::fastcgi {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::uint16_t kRequestId = 1;
inline constexpr std::size_t kHeaderSize =
    8;  // version, type, id (2), length of the content (2), length of the padding, 0
inline constexpr std::size_t kEndSize = 8;  // status of the application (4), status of the protocol, 0 (3)

enum class Type : std::uint8_t {
  begin_request = 1,
  end_request = 3,
  params = 4,
  in = 5,
  out = 6,
  err = 7,
};

enum class ProtocolStatus : std::uint8_t {
  complete = 0,
  cannot_multiplex = 1,
  overloaded = 2,
  unknown_role = 3,
};

}  // namespace driveshaft::http::fastcgi
