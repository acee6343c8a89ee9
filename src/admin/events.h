// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "monitor/monitor.h"
#include "net/asio.h"
#include "net/timed_stream.h"

namespace driveshaft::admin {

// A connection over TCP, TLS or a Unix socket.
using Stream = net::TimedStream;

// Sends the monitor's status each second as Server-Sent Events, until the client closes the connection or
// reads nothing for `timeout`. A slow client misses events: only the event that is being sent is kept in
// memory. With `head` only the header of the answer is sent. Both objects outlive the coroutine.
asio::awaitable<void> stream_events(Stream& stream, monitor::Monitor& monitor,
                                    std::chrono::milliseconds timeout, bool head);

}  // namespace driveshaft::admin
