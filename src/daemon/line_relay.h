// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace driveshaft::daemon {

// Passes text on to a file or pipe that other writers use too. The text is written in whole lines, so that no
// other writer's line gets into one of them. A line is written in pieces only if it is longer than one write
// may be, or if it takes more than kMostHeld bytes of memory before its end is known.
class LineRelay {
 public:
  static constexpr std::size_t kMostHeld =
      std::size_t{1} * 1024 * 1024;  // of a line whose end has not come, in bytes

  void add(std::string_view text) { text_ += text; }
  // No more text is added. The last line may be written without its end.
  void end() { ended_ = true; }

  // The text that may be written now, at most `most` bytes; empty if there is none. The view is valid until
  // another member function is called.
  std::string_view next(std::size_t most) const;
  // The first `size` bytes of that text were written.
  void remove(std::size_t size) { text_.erase(0, size); }

 private:
  std::string text_;
  bool ended_ = false;
};

}  // namespace driveshaft::daemon
