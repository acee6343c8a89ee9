// SPDX-License-Identifier: MIT
#include "monitor/queue_waits.h"

namespace driveshaft::monitor {
namespace {

// `before`: null if the previous reading failed.
void note_waits(const QueueReport::Functions* before, QueueReport::Functions& now, dispatch::SteadyTime at) {
  for (auto& [name, queue] : now) {
    queue.waiting_since.reset();
    if (queue.queued == 0) continue;
    queue.waiting_since = at;
    if (!before) continue;
    const auto known = before->find(name);
    if (known != before->end() && known->second.waiting_since) {
      queue.waiting_since = known->second.waiting_since;
    }
  }
}

}  // namespace

void note_waits(const QueueReport& before, QueueReport& now) {
  note_waits(before.known ? &before.functions : nullptr, now.functions, now.at);
  note_waits(before.known ? &before.unserved : nullptr, now.unserved, now.at);
}

}  // namespace driveshaft::monitor
