// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

// The file descriptors of this process: connections and files have one each, and RLIMIT_NOFILE bounds their
// number. The kernel gives the lowest free number (POSIX, open()), so a number near the limit shows that few
// are left. The last ones are reserved for what must not fail. Any thread.
namespace driveshaft::net {

// How many descriptors are reserved for clients of the exporter, log files, the jobs file and name look-ups.
// No connection that this process opens gets one of them.
inline constexpr int kReservedForExporter = 10;
// A connection to an endpoint leaves more, so that a lost connection to gearmand can be opened again.
inline constexpr int kReservedForServers = kReservedForExporter + 6;

// How many descriptors are open besides connections to endpoints; a daemon with one pool and one server has
// 14.
inline constexpr int kUsedElsewhere = 16;

// The most connections to endpoints that there can be, at least 1.
int most_endpoint_connections();

// Whether this descriptor is among the last `reserved` that the process may have.
bool is_reserved(int descriptor, int reserved);

// Notes that a descriptor was needed and none was free.
void note_lack_of_descriptors();
// When that last happened; nothing: never.
std::optional<std::chrono::steady_clock::time_point> last_lack_of_descriptors();

}  // namespace driveshaft::net
