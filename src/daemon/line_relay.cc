// SPDX-License-Identifier: MIT
#include "daemon/line_relay.h"

#include "base/stderr.h"

namespace driveshaft::daemon {

std::string_view LineRelay::next(std::size_t most) const {
  const std::string_view text = text_;
  if (ended_ && text.size() <= most) return text;
  const bool may_leave = ended_ || text.find('\n') != std::string_view::npos || text.size() >= kMostHeld;
  return may_leave ? base::first_lines(text, most) : std::string_view();
}

}  // namespace driveshaft::daemon
