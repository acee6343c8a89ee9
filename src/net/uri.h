// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "text/secret.h"

namespace driveshaft::net {

// The URI of an endpoint, taken apart into what a connection and a request need.
struct Uri {
  enum class Scheme { http, https, http_unix, fcgi, fcgi_unix };

  Scheme scheme = Scheme::http;
  std::string host;            // name or literal, IPv6 without brackets; empty for a Unix socket
  std::uint16_t port = 0;      // 0 for a Unix socket, otherwise always set
  std::string socket_path;     // of a Unix socket, decoded
  text::Secret target;         // origin form: path and query, at least "/"; a query may have a token in it
  std::string authority;       // value of the Host header: "shop.example", "[::1]:8080", "localhost"
  std::string script;          // FastCGI: the path of the script's file, decoded
  text::Secret authorization;  // value of the Authorization header ("Basic …"), or empty
  std::string display;         // the URI as it may be shown: user, password and query are masked

  bool is_unix() const { return scheme == Scheme::http_unix || scheme == Scheme::fcgi_unix; }
  bool is_http_over_unix() const { return scheme == Scheme::http_unix; }
  bool is_fastcgi() const { return scheme == Scheme::fcgi || scheme == Scheme::fcgi_unix; }
  // Whether it is http:// to a host, with the path of a PHP script: php-fpm itself may listen there, which
  // speaks FastCGI.
  bool may_be_fastcgi() const;

  bool operator==(const Uri&) const = default;
};

// Reads http://, https://, http+unix://%2Fpath%2Fto.sock/path, fcgi://host:port/path/of/script and
// fcgi+unix://%2Fpath%2Fto.sock/path/of/script. `user:password@` becomes Basic authorization over HTTP. A
// fragment is dropped. The error says what is wrong and what is accepted.
base::Result<Uri> parse_uri(std::string_view text);

// The parts of a request's target in origin form: what stands before the first `?`, and what follows it,
// which is empty without one. Both point into the target.
std::string_view path_of(std::string_view target);
std::string_view query_of(std::string_view target);

}  // namespace driveshaft::net
