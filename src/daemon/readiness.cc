// SPDX-License-Identifier: MIT
#include "daemon/readiness.h"

#include "text/counted.h"

namespace driveshaft::daemon {

using dispatch::Wanted;

admin::Health readiness(bool draining, Wanted wanted, int links) {
  if (draining) return {false, "draining: no more jobs are taken, running ones finish"};
  if (wanted == Wanted::all_paused) {
    return {true, "all pools are paused: no more jobs are taken, running ones finish"};
  }
  if (wanted == Wanted::no_slots) return {true, "no pool takes jobs yet: worker_count is 0 in every pool"};
  if (links == 0) return {false, "connected to no gearmand"};
  return {true, text::counted(static_cast<std::uint64_t>(links), "connection") + " to gearmand"};
}

}  // namespace driveshaft::daemon
