// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "cli/keys.h"
#include "cli/status_tables.h"

namespace driveshaft::cli {

// What the user of `top` has chosen with keys. Pure.
struct TopState {
  // The list that scrolls has most of the screen; the others have a few rows.
  enum class List { pools, servers, problems };
  List list = List::pools;
  Sort sort = Sort::trouble;
  std::string filter;      // only pools that contain it are shown
  bool is_typing = false;  // the user is typing the filter
  bool backends = false;   // whether the backends of an endpoint that has several are shown
  std::size_t first = 0;   // index of the first row that is shown; top_screen() keeps it within the list
  std::size_t room = 1;    // how many rows of the list the last screen showed
};

TopState::List next(TopState::List list);

// Carries out what the key means. False: the key ends `top`.
bool press(TopState& state, const Key& key);

}  // namespace driveshaft::cli
