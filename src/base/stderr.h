// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace driveshaft::base {

// A line to stderr, for what cannot go to the log. Where stderr does not take it, on a full disk or into a
// pipe that nobody reads any more, it is lost; fmt::print would throw. Any thread.
void write_to_stderr(const std::string& line);

}  // namespace driveshaft::base
