// SPDX-License-Identifier: MIT
#pragma once

#include "monitor/queue_watch.h"

namespace driveshaft::monitor {

// Notes in `now`, for each function, since when its jobs have waited: since the first of the consecutive
// readings, up to `now`, in which jobs of the function waited. If the queue was not known before, that is the
// time of `now`. `before`: the previous reading. Pure.
void note_waits(const QueueReport& before, QueueReport& now);

}  // namespace driveshaft::monitor
