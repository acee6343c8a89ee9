// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/table.h"

// The parts of a screen, one above the other. Pure.
namespace driveshaft::cli {

// A head that stays, and rows of which those are shown that there is room for.
struct Part {
  std::vector<std::string> head = {};
  std::vector<std::string> rows = {};
  std::string note = {};  // stands below the rows
  // Below its head it takes so many lines while another part scrolls, and so many if room is short.
  std::size_t brief = 0;
  std::size_t least = 0;
  // What share() gives it.
  std::size_t lines = 0;  // below its head
  std::size_t first = 0;  // row that is shown first

  std::size_t needs() const { return rows.size() + (note.empty() ? 0 : 1); }
  std::size_t shown() const;  // rows
};

// Gives each part its lines, `room` in all: the one that scrolls has what the others do not need.
void share(std::vector<Part>& parts, Part& scrolls, std::size_t room);

// The part in lines; below its rows, how many more there are.
std::vector<std::string> lines_of(const Part& part, const Style& style);

}  // namespace driveshaft::cli
