// SPDX-License-Identifier: MIT
#include "admin/response.h"

#include <boost/beast/http.hpp>
#include <utility>

namespace driveshaft::admin {

namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

// A page of another site cannot embed what is served here, and has no access to its window. X-Frame-Options
// is for browsers that do not know frame-ancestors.
constexpr std::pair<const char*, const char*> kIsolation[] = {{"Cross-Origin-Resource-Policy", "same-origin"},
                                                              {"Cross-Origin-Opener-Policy", "same-origin"},
                                                              {"X-Frame-Options", "DENY"}};

}  // namespace

Response to_response(Reply reply, unsigned version, bool keep_alive) {
  Response response(static_cast<http::status>(reply.status), version);
  response.set(http::field::server, "driveshaft");
  response.set(http::field::content_type, reply.content_type);
  response.set(http::field::cache_control, "no-store");
  // The page has no inline script or style, and asks no other host.
  response.set("Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
               "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  for (const auto& [name, value] : kIsolation) response.set(name, value);
  if (!reply.allow.empty()) response.set(http::field::allow, reply.allow);
  for (const auto scheme : reply.authenticate) response.insert(http::field::www_authenticate, scheme);
  response.keep_alive(keep_alive);
  response.body() = std::move(reply.body);
  response.prepare_payload();
  return response;
}

std::optional<Reply> refusal(const error_code& error) {
  if (error == http::error::header_limit) return Reply{.status = 431, .body = "request header too large\n"};
  if (error == http::error::body_limit) return Reply{.status = 413, .body = "request body too large\n"};
  if (error == http::error::end_of_stream || error == http::error::partial_message) return {};
  if (error.category() == http::make_error_code(http::error::bad_method).category()) {
    return Reply{.status = 400, .body = "not an HTTP request: " + error.message() + "\n"};
  }
  return {};
}

}  // namespace driveshaft::admin
