// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/status_tables.h"
#include "cli/table.h"
#include "cli/top_state.h"

namespace driveshaft::cli {

// What `top` knows.
struct TopNews {
  std::string address;                        // of the daemon
  std::optional<boost::json::object> status;  // the last one there was
  Trends trends;
  std::string lost;  // why there is no news; empty while there is
};

struct Size {
  std::size_t rows;
  std::size_t columns;
};

// The lines of the screen, at most so many and so long as its size says. `state.first` is brought within the
// list, and `state.room` is set. Pure. Throws what boost::json throws when a field of the status is not what
// it should be.
std::vector<std::string> top_screen(const TopNews& news, TopState& state, Size size, bool color);

}  // namespace driveshaft::cli
