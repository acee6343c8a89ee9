// SPDX-License-Identifier: MIT
#pragma once

#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>

#include "monitor/monitor.h"
#include "net/asio.h"

namespace driveshaft::admin {

// Server-Sent Events: the monitor's status each second, until the client goes, or takes none for `patience`.
// A slow client misses some; what is kept for it is the event being sent. `head`: the header alone.
asio::awaitable<void> stream_events(boost::beast::tcp_stream& stream, monitor::Monitor& monitor,
                                    std::chrono::milliseconds patience, bool head);

}  // namespace driveshaft::admin
