// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

// The file descriptors of this process: connections and files have one each, and RLIMIT_NOFILE bounds their
// number. The kernel gives the lowest free number (POSIX, open()), so a number near the limit says that few
// are left. Those are kept for what must go on. All of it may be called on any thread.
namespace driveshaft::net {

// The last descriptors, which no connection of our own gets: clients of the exporter, log files, the jobs
// file, and look-ups of names need them.
inline constexpr int kKeptForExporter = 10;
// A connection to an endpoint leaves more: a lost connection to gearmand can be opened again.
inline constexpr int kKeptForServers = kKeptForExporter + 6;

// What is open besides connections to endpoints: 14 in a daemon with one pool and one server.
inline constexpr int kUsedElsewhere = 16;

// The most connections to endpoints that there can be, at least 1.
int most_endpoint_connections();

// Whether this descriptor is among the last `kept` that the process may have.
bool is_kept(int descriptor, int kept);

// A descriptor was needed and not to be had.
void note_lack_of_descriptors();
// When that was last; nothing: never.
std::optional<std::chrono::steady_clock::time_point> last_lack_of_descriptors();

}  // namespace driveshaft::net
