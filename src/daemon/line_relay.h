// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace driveshaft::daemon {

// Text on its way to a file or pipe where other writers have lines too. It leaves in whole lines, so that no
// line of another writer gets into one of these. Only a line that is longer than what may be written at once
// leaves in pieces, and one that would take too much memory does before its end is known.
class LineRelay {
 public:
  static constexpr std::size_t kMostHeld =
      std::size_t{1} * 1024 * 1024;  // of a line without its end, in bytes

  void add(std::string_view text) { text_ += text; }
  // No more is added: what is there may leave without the end of its line.
  void end() { ended_ = true; }

  // What may be written now, at most `most` bytes; empty if nothing. Valid until the next call of another
  // function.
  std::string_view next(std::size_t most) const;
  // The first `size` bytes of it were written.
  void remove(std::size_t size) { text_.erase(0, size); }

 private:
  std::string text_;
  bool ended_ = false;
};

}  // namespace driveshaft::daemon
