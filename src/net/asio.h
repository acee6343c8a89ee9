// SPDX-License-Identifier: MIT
#pragma once

// The heavy headers, precompiled once for every folder that does I/O.
#include <boost/asio.hpp>

namespace driveshaft {
namespace asio = boost::asio;

namespace net {

// The completion token for operations whose error is a result like any other: co_await returns it first, and
// nothing is thrown.
inline constexpr auto kResult = asio::as_tuple(asio::use_awaitable);

}  // namespace net
}  // namespace driveshaft
