// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace driveshaft::log {

// Log lines that were lost since the start of the process: they could not be written, or came faster than
// they were written.
struct Loss {
  std::uint64_t lines = 0;
  std::optional<std::chrono::steady_clock::time_point> last;  // nothing: none was lost
  std::string why;                                            // of the last one
};

// Any thread.
Loss loss();
void note_loss(std::uint64_t lines, const std::string& why);

}  // namespace driveshaft::log
