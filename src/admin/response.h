// SPDX-License-Identifier: MIT
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "admin/routes.h"

// Answers as HTTP has them. No I/O.
namespace driveshaft::admin {

using Response = boost::beast::http::response<boost::beast::http::string_body>;

// With the headers that tell browsers what they may do with it.
Response to_response(Reply reply, unsigned version, bool keep_alive);

// The answer to a request that could not be read; nothing if the client has gone.
std::optional<Reply> refusal(const boost::system::error_code& error);

}  // namespace driveshaft::admin
