// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/table.h"

// The parts of a screen, one below the other. Pure.
namespace driveshaft::cli {

// A head that is always shown, and rows that are shown as far as there is room. Numbers are lines of the
// screen.
struct Part {
  std::vector<std::string> head = {};
  std::vector<std::string> rows = {};
  std::string note = {};  // stands below the rows
  std::size_t brief = 0;  // lines below the head while another part scrolls
  std::size_t least = 0;  // lines below the head while another part scrolls and there is little room
  std::size_t lines = 0;  // lines below the head that share() gives to the part
  std::size_t first = 0;  // index of the first row that is shown

  std::size_t needs() const { return rows.size() + (note.empty() ? 0 : 1); }
  std::size_t shown() const;  // how many rows are shown
};

// Divides `room` lines among the parts: `scrolls`, which is one of them, gets the lines that the others do
// not need.
void share(std::vector<Part>& parts, Part& scrolls, std::size_t room);

// The lines of the part. Below the rows a line says how many rows are not shown.
std::vector<std::string> lines_of(const Part& part, const Style& style);

}  // namespace driveshaft::cli
