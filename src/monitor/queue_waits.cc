// SPDX-License-Identifier: MIT
#include "monitor/queue_waits.h"

namespace driveshaft::monitor {

void note_waits(const QueueReport& before, QueueReport& now) {
  for (auto& [name, queue] : now.functions) {
    queue.waiting_since.reset();
    if (queue.queued == 0) continue;
    queue.waiting_since = now.at;
    if (!before.known) continue;
    const auto known = before.functions.find(name);
    if (known != before.functions.end() && known->second.waiting_since) {
      queue.waiting_since = known->second.waiting_since;
    }
  }
}

}  // namespace driveshaft::monitor
