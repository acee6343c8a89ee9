// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "cli/keys.h"
#include "cli/status_tables.h"

namespace driveshaft::cli {

// What the keys of `top` have chosen. Pure.
struct TopState {
  // The one that scrolls has as much of the screen as there is, the others a few rows.
  enum class List { pools, servers, problems };
  List list = List::pools;
  Sort sort = Sort::trouble;
  std::string filter;      // of pools
  bool is_typing = false;  // the filter
  bool backends = false;   // are shown, where an endpoint has several
  std::size_t first = 0;   // row of the list that is shown first; whoever draws keeps it within the list
  std::size_t room = 1;    // rows of the list that the last screen showed
};

TopState::List next(TopState::List list);

// Does what the key is for. False: the key ends `top`.
bool press(TopState& state, const Key& key);

}  // namespace driveshaft::cli
