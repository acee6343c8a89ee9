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
  std::string pool;    // whose problem it is, or empty
  std::string server;  // likewise
  std::string text;    // a sentence without its full stop
};

// Whether all is well, for people: the worst problem first.
struct Verdict {
  bool well() const { return problems.empty(); }
  std::string summary;  // one sentence
  std::vector<Problem> problems;
};

Verdict judge(const View& view);

// "14 s", "3 min", "2 h", "5 d"
std::string in_words(std::chrono::nanoseconds duration);

}  // namespace driveshaft::monitor
