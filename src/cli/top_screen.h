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

// What `top` knows about the daemon.
struct TopNews {
  std::string address;                        // exporter address of the daemon
  std::optional<boost::json::object> status;  // the last status that came; nothing before the first
  Trends trends;
  std::string lost;  // why the daemon does not answer; empty while it answers
};

struct Size {
  std::size_t rows;
  std::size_t columns;
};

// The lines of the screen, which fit into `size`. `state.first` is corrected if it is beyond the list, and
// `state.room` is set. Pure. If a field of the status has another type than expected, this throws what
// boost::json throws.
std::vector<std::string> top_screen(const TopNews& news, TopState& state, Size size, bool color);

}  // namespace driveshaft::cli
