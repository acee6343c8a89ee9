// SPDX-License-Identifier: MIT
#pragma once

#include "monitor/queue_watch.h"

namespace driveshaft::monitor {

// Notes in `now`, for each function of `functions` and `unserved`, since when its jobs have waited: since the
// first of the consecutive readings, up to `now`, in which jobs of the function waited. If the queue was not
// known before, that is the time of `now`. The `dead_letter_functions` are left out: their letters wait until
// an operator has them run again. `before`: the previous reading. Pure.
void note_waits(const QueueReport& before, QueueReport& now);

}  // namespace driveshaft::monitor
