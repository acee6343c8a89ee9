// SPDX-License-Identifier: MIT
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "admin/reply.h"

// Makes HTTP responses from answers. No I/O.
namespace driveshaft::admin {

using Response = boost::beast::http::response<boost::beast::http::string_body>;

// Adds the headers that tell a browser what other sites and pages may do with the response.
Response to_response(Reply reply, unsigned version, bool keep_alive);

// The answer to a request that could not be read; nothing if the client has closed its end or the connection
// broke.
std::optional<Reply> refusal(const boost::system::error_code& error);

}  // namespace driveshaft::admin
