// SPDX-License-Identifier: MIT
#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/utf8.h"

namespace driveshaft::cli {
namespace {

constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;  // least width of a column that always stays, if the table is too wide

// How many bytes the first `count` characters take.
std::size_t bytes_of(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (text::is_continuation(text[end])) continue;
    if (count-- == 0) break;
  }
  return end;
}

std::vector<Column> columns_of(const std::vector<std::string>& heads, std::size_t left) {
  std::vector<Column> columns;
  columns.reserve(heads.size());
  for (const auto& head : heads) columns.push_back({.head = head, .left = columns.size() < left});
  return columns;
}

}  // namespace

std::string colored(std::string text, std::string_view color, const Style& style) {
  return style.color && !color.empty() ? fmt::format("{}{}{}", color, text, kPlain) : text;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !text::is_continuation(c); }));
}

std::string cut(std::string_view text, std::size_t width) {
  if (width == 0 || columns(text) <= width) return std::string(text);
  return std::string(text.substr(0, bytes_of(text, width - 1))) + "…";
}

std::string cut_in_middle(std::string_view text, std::size_t width) {
  const std::size_t all = columns(text);
  if (width == 0 || all <= width) return std::string(text);
  const std::size_t last = (width - 1) / 2;
  const std::size_t first = width - 1 - last;
  return fmt::format("{}…{}", text.substr(0, bytes_of(text, first)), text.substr(bytes_of(text, all - last)));
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines{""};
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (width > 0 && !lines.back().empty() && columns(lines.back()) + 1 + columns(word) > width)
      lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
  }
  return lines;
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const auto& column : columns_) widths_.push_back(cli::columns(column.head));
}

Table::Table(const std::vector<std::string>& heads, std::size_t left) : Table(columns_of(heads, left)) {}

void Table::add(std::vector<Cell> row) {
  for (std::size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], columns(row[i].text));
  rows_.push_back(std::move(row));
}

std::vector<std::string> Table::lines(const Style& style) const {
  const auto shown = places(style.width);
  std::vector<Cell> head;
  for (const auto& column : columns_) head.push_back({column.head, kDim});
  std::vector<std::string> lines;
  lines.reserve(rows_.size() + 1);
  lines.push_back(line(head, shown, style));
  for (const auto& row : rows_) lines.push_back(line(row, shown, style));
  return lines;
}

// The columns that are shown, with their widths. When all columns have their least width, the rest is shared
// among those whose texts are still cut.
std::vector<Table::Place> Table::places(std::size_t width) const {
  std::vector<Place> places;
  places.reserve(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) places.push_back({i, widths_[i]});
  if (width == 0) return places;

  std::size_t used = kGap * (places.size() - 1);
  for (auto& place : places) {
    const std::size_t least = columns_[place.column].least;
    if (least > 0) place.width = std::min(place.width, least);
    used += place.width;
  }
  while (used > width) {
    auto first = places.end();
    for (auto place = places.begin(); place != places.end(); ++place) {
      const int goes = columns_[place->column].goes;
      if (goes > 0 && (first == places.end() || goes < columns_[first->column].goes)) first = place;
    }
    if (first == places.end()) break;
    used -= first->width + kGap;
    places.erase(first);
  }
  for (auto& place : places) {
    if (columns_[place.column].least == 0) continue;
    const std::size_t over = used - std::min(used, width);
    const std::size_t taken = std::min(over, place.width - std::min(place.width, kNarrowest));
    place.width -= taken;
    used -= taken;
  }
  for (bool grows = true; grows && used < width;) {
    grows = false;
    for (auto& place : places) {
      if (used == width || place.width == widths_[place.column]) continue;
      ++place.width;
      ++used;
      grows = true;
    }
  }
  return places;
}

std::string Table::line(const std::vector<Cell>& row, const std::vector<Place>& places,
                        const Style& style) const {
  std::string line;
  std::size_t used = 0;
  for (const auto& place : places) {
    const Column& column = columns_[place.column];
    const Cell& cell = row[place.column];
    const std::size_t gap = used == 0 ? 0 : kGap;
    if (style.width > 0 && used + gap + 1 > style.width) break;
    const bool last = place.column + 1 == columns_.size();
    std::string text =
        column.cut_in_middle ? cut_in_middle(cell.text, place.width) : cut(cell.text, place.width);
    const std::size_t padding = last ? 0 : place.width - columns(text);
    text.insert(column.left || last ? text.size() : 0, padding, ' ');
    if (style.width > 0) text = cut(text, style.width - used - gap);
    used += gap + columns(text);
    line.append(gap, ' ');
    line += colored(std::move(text), cell.color, style);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace driveshaft::cli
