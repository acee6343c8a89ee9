// SPDX-License-Identifier: MIT
#include "gearman/admin_text.h"

#include <charconv>

namespace driveshaft::gearman {
namespace {

// Removes the last tab and the number behind it from the line, and returns the number.
std::optional<std::uint64_t> take_last_number(std::string_view& line) {
  const auto tab = line.rfind('\t');
  if (tab == line.npos) return std::nullopt;
  const auto digits = line.substr(tab + 1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  line.remove_suffix(line.size() - tab);
  return number;
}

std::string_view take_word(std::string_view& line) {
  const auto word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  if (!line.empty()) line.remove_prefix(1);
  return word;
}

}  // namespace

// FUNCTION \t TOTAL \t RUNNING \t WORKERS, read from the end.
std::optional<FunctionQueue> parse_status_line(std::string_view line) {
  const auto workers = take_last_number(line);
  const auto running = workers ? take_last_number(line) : std::nullopt;
  const auto total = running ? take_last_number(line) : std::nullopt;
  if (!total) return std::nullopt;
  return FunctionQueue{line, *total > *running ? *total - *running : 0, *running, *workers};
}

// DESCRIPTOR ADDRESS CLIENT_ID : FUNCTION FUNCTION …
std::optional<WorkerLine> parse_worker_line(std::string_view line) {
  take_word(line);
  if (take_word(line).empty()) return std::nullopt;
  const auto id = take_word(line);
  if (id.empty() || !line.starts_with(':')) return std::nullopt;
  return WorkerLine{id, line.find_first_not_of(": ") != line.npos};
}

}  // namespace driveshaft::gearman
