// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "net/address.h"
#include "net/asio.h"

namespace driveshaft::cli {

// Gets a page of a daemon's exporter address; the answer's body, or why there is none. Time and size of the
// answer are limited.
asio::awaitable<base::Result<std::string>> get(net::Address daemon, std::string_view path);

}  // namespace driveshaft::cli
