// SPDX-License-Identifier: MIT
#pragma once

#include "monitor/queue_watch.h"

namespace driveshaft::monitor {

// Notes in `now` since when jobs of each function have waited: since the first of the readings without a
// break, this one among them, in which the function had any. Where the queue was not known before, that is
// this one. `before` is the reading before. Pure.
void note_waits(const QueueReport& before, QueueReport& now);

}  // namespace driveshaft::monitor
