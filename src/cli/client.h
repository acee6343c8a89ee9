// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "base/address.h"
#include "base/asio.h"
#include "base/error.h"

namespace driveshaft::cli {

// Gets a page of a daemon's exporter address; the answer's body, or why there is none. Bounded in time and
// size, whoever answers.
asio::awaitable<base::Result<std::string>> get(base::Address daemon, std::string_view path);

}  // namespace driveshaft::cli
