// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Text in columns of a terminal. A character counts as one column. Pure.
namespace driveshaft::cli {

struct Style {
  bool color = false;
  std::size_t width = 0;  // columns of the terminal; 0: no limit
};

inline constexpr std::string_view kRed = "\x1b[31m";
inline constexpr std::string_view kYellow = "\x1b[33m";
inline constexpr std::string_view kGreen = "\x1b[32m";
inline constexpr std::string_view kBold = "\x1b[1m";
inline constexpr std::string_view kDim = "\x1b[2m";

std::string colored(std::string text, std::string_view color, const Style& style);

std::size_t columns(std::string_view text);

// The first `width` characters. If the text is longer, the last of them is an ellipsis. A width of 0 cuts
// nothing.
std::string cut(std::string_view text, std::size_t width);
// The same with the ellipsis in the middle, so that names that differ only at their ends still differ.
std::string cut_in_middle(std::string_view text, std::size_t width);

// Breaks a sentence at spaces into lines of at most this width.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

struct Column {
  std::string head;
  bool left = false;  // the texts are aligned to the left
  // If the table is too wide, whole columns are left out, the one with the lowest number first. 0: the column
  // always stays.
  int goes = 0;
  std::size_t least = 0;  // texts may be cut to this width; 0: texts are never cut
  bool cut_in_middle = false;
};

struct Cell {
  std::string text;
  std::string_view color = {};
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);
  // The first `left` columns are aligned to the left, the others to the right.
  Table(const std::vector<std::string>& heads, std::size_t left);

  void add(std::vector<Cell> row);

  // The head and the rows. The last column is aligned to the left.
  std::vector<std::string> lines(const Style& style) const;

 private:
  struct Place {
    std::size_t column;
    std::size_t width;
  };
  std::vector<Place> places(std::size_t width) const;
  std::string line(const std::vector<Cell>& row, const std::vector<Place>& places, const Style& style) const;

  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;  // of each column: the width of its longest text
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace driveshaft::cli
