// SPDX-License-Identifier: MIT
#include "cli/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/range/adaptor/reversed.hpp>

namespace driveshaft::cli {
namespace {

// The part that scrolls gets at least so many lines, unless the others would fall below their `least`.
constexpr std::size_t kLinesThatScroll = 6;

std::size_t all_lines(const std::vector<Part>& parts) {
  std::size_t sum = 0;
  for (const auto& part : parts) sum += part.lines;
  return sum;
}

// Takes lines from the other parts, from the largest one first, until `wanted` lines of `room` are free. With
// `all` every line may be taken; otherwise each part keeps its `least`.
void make_room(std::vector<Part>& others, std::size_t wanted, std::size_t room, bool all) {
  const auto spare = [&](const Part& part) {
    return part.lines - (all ? 0 : std::min(part.lines, part.least));
  };
  const auto less = [&](const Part& one, const Part& other) { return spare(one) < spare(other); };
  while (all_lines(others) + wanted > room) {
    const auto greatest = std::max_element(others.begin(), others.end(), less);
    if (spare(*greatest) == 0) return;
    --greatest->lines;
  }
}

std::string below(const Part& part) {
  const std::size_t above = part.first;
  const std::size_t more = part.rows.size() - part.first - part.shown();
  std::string text = above == 0 && more == 0 ? ""
                     : above == 0            ? fmt::format("{} more", more)
                     : more == 0             ? fmt::format("{} more above", above)
                                             : fmt::format("{} more above, {} more below", above, more);
  if (!text.empty() && !part.note.empty()) text += "; ";
  return text + part.note;
}

}  // namespace

std::size_t Part::shown() const {
  const std::size_t for_rows =
      needs() <= lines && note.empty() ? lines : lines - std::min<std::size_t>(lines, 1);
  return std::min(rows.size(), for_rows);
}

void share(std::vector<Part>& parts, Part& scrolls, std::size_t room) {
  for (auto& part : parts) part.lines = &part == &scrolls ? 0 : std::min(part.needs(), part.brief);
  make_room(parts, std::min(scrolls.needs(), kLinesThatScroll), room, false);
  make_room(parts, std::min<std::size_t>(scrolls.needs(), 1), room, true);
  std::size_t left = room - std::min(room, all_lines(parts));
  scrolls.lines = std::min(scrolls.needs(), left);
  left -= scrolls.lines;
  for (Part& part : boost::adaptors::reverse(parts)) {
    const std::size_t more = std::min(left, part.needs() - part.lines);
    part.lines += more;
    left -= more;
  }
}

std::vector<std::string> lines_of(const Part& part, const Style& style) {
  auto lines = part.head;
  const auto first = part.rows.begin() + static_cast<std::ptrdiff_t>(part.first);
  lines.insert(lines.end(), first, first + static_cast<std::ptrdiff_t>(part.shown()));
  const std::string text = below(part);
  if (part.lines > 0 && !text.empty()) lines.push_back(colored(cut(text, style.width), kDim, style));
  return lines;
}

}  // namespace driveshaft::cli
