// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace driveshaft::admin {

// Limits on what clients may use. A client that exceeds a limit gets an error answer if HTTP has one for it,
// and its connection is closed.
struct Limits {
  std::uint32_t header_bytes = 8 * 1024;
  std::uint64_t body_bytes = 4 * 1024;
  // Time to read a request, from its first byte to its last, and then again time to send the answer.
  std::chrono::milliseconds request{10'000};
  std::chrono::milliseconds keep_alive{60'000};  // of an idle connection
  // Of the exporter address. One more connection closes the one that has waited longest for its client.
  std::size_t connections = 256;
  std::size_t control_connections = 32;  // of the control socket; likewise
  std::uint64_t control_body_bytes = 64 * 1024;
  // Clients of /api/v1/events. Further clients get an error that tells them to ask for the status instead.
  std::size_t streams = 128;
};

}  // namespace driveshaft::admin
