// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "monitor/view.h"

namespace driveshaft::monitor {

enum class Level {
  bad,      // jobs fail, or none are taken
  warning,  // jobs run, but somebody should look
};

struct Problem {
  Level level;
  std::string pool;    // the pool that has the problem, or empty
  std::string server;  // the server that has the problem, or empty
  std::string text;    // a sentence without its full stop
};

// Whether the daemon is well, in words for people. The worst problem comes first.
struct Verdict {
  bool well() const { return problems.empty(); }
  std::string summary;   // one sentence
  bool is_note = false;  // there are no problems, but the summary says more than that all is well
  std::vector<Problem> problems;
};

Verdict judge(const View& view);

// "14 s", "3 min", "2 h", "5 d"
std::string in_words(std::chrono::nanoseconds duration);

}  // namespace driveshaft::monitor
