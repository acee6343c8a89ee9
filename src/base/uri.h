// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace driveshaft::base {

// Where jobs are POSTed: what a connection and a request line need, read once from the jobs file.
struct Uri {
  enum class Scheme { http, https, http_unix };

  Scheme scheme = Scheme::http;
  std::string host;           // name or literal, IPv6 without brackets; empty for http_unix
  std::uint16_t port = 0;     // always set for http and https
  std::string socket_path;    // http_unix: the socket's path, decoded
  std::string target;         // origin form: path and query, at least "/"
  std::string authority;      // value of the Host header: "shop.example", "[::1]:8080", "localhost"
  std::string authorization;  // value of the Authorization header ("Basic …"), or empty. A secret.
  std::string display;        // the URI as it may be logged: password masked

  bool operator==(const Uri&) const = default;
};

// Reads http://, https:// and http+unix://%2Fpath%2Fto.sock/path. `user:password@` becomes Basic
// authorization. A fragment is dropped. The error says what is wrong and what is accepted.
Result<Uri> parse_uri(std::string_view text);

}  // namespace driveshaft::base
