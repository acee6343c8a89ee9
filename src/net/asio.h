// SPDX-License-Identifier: MIT
#pragma once

// The heavy headers, precompiled once for every folder that does I/O.
#include <boost/asio.hpp>

namespace driveshaft {
namespace asio = boost::asio;
}
