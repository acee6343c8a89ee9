// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "monitor/monitor.h"
#include "net/asio.h"
#include "net/timed_stream.h"

namespace driveshaft::admin {

// A connection over TCP, perhaps with TLS, or a Unix socket.
using Stream = net::TimedStream;

// Sends the monitor's status each second as Server-Sent Events, until the client closes the connection or
// reads nothing for `patience`. A slow client misses events; only the event that is being sent is kept in
// memory. `head`: only the header is sent.
asio::awaitable<void> stream_events(Stream& stream, monitor::Monitor& monitor,
                                    std::chrono::milliseconds patience, bool head);

}  // namespace driveshaft::admin
