// SPDX-License-Identifier: MIT
#pragma once

#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>

#include "monitor/monitor.h"
#include "net/asio.h"

namespace driveshaft::admin {

// Sends the monitor's status each second as Server-Sent Events, until the client closes the connection or
// reads nothing for `patience`. A slow client misses events; only the event that is being sent is kept in
// memory. `head`: only the header is sent.
asio::awaitable<void> stream_events(boost::beast::tcp_stream& stream, monitor::Monitor& monitor,
                                    std::chrono::milliseconds patience, bool head);

}  // namespace driveshaft::admin
