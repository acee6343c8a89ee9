// SPDX-License-Identifier: MIT
#include "net/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <limits>

namespace driveshaft::net {
namespace {

using Clock = std::chrono::steady_clock;

// When a descriptor was last lacking. 0: never.
std::atomic<Clock::rep> last_lack{0};

// How many descriptors the process may have.
int limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  constexpr rlim_t kMost = std::numeric_limits<int>::max();  // descriptors are of type int
  return static_cast<int>(std::min(limit.rlim_cur, kMost));
}

}  // namespace

int most_endpoint_connections() { return std::max(limit() - kReservedForServers - kUsedElsewhere, 1); }

bool is_reserved(int descriptor, int reserved) { return descriptor >= limit() - reserved; }

void note_lack_of_descriptors() {
  last_lack.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

std::optional<Clock::time_point> last_lack_of_descriptors() {
  const auto last = last_lack.load(std::memory_order_relaxed);
  if (last == 0) return {};
  return Clock::time_point(Clock::duration(last));
}

}  // namespace driveshaft::net
