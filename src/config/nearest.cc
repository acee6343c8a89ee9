// SPDX-License-Identifier: MIT
#include "config/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "text/equal_ignoring_case.h"
#include "text/printable.h"

namespace driveshaft::config {
namespace {

// Edits from a to b; neighbours that changed places count once.
std::size_t distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: for the prefixes of `a` that end at the present letter, and one and two
  // letters before it.
  std::vector<std::size_t> two_before(b.size() + 1), before(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    two_before.swap(before);
    before.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + changed});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], two_before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  const auto same = std::find_if(candidates.begin(), candidates.end(), [&](std::string_view candidate) {
    return text::equal_ignoring_case(word, candidate);
  });
  if (same != candidates.end()) return *same;
  // The plural of a word in y differs from it by too many letters: "retries".
  if (word.ends_with("ies")) {
    const std::string singular = std::string(word.substr(0, word.size() - 3)) + 'y';
    const auto found = std::find(candidates.begin(), candidates.end(), singular);
    if (found != candidates.end()) return *found;
  }
  std::string_view best;
  std::size_t best_distance = 0;
  for (const auto candidate : candidates) {
    const std::size_t allowed = std::max(word.size(), candidate.size()) / 3;
    const std::size_t shortest = std::min(word.size(), candidate.size());
    // The difference in length is a lower bound, and spares the table for very long words.
    if (std::max(word.size(), candidate.size()) - shortest > allowed) continue;
    const std::size_t edits = distance(word, candidate);
    if (edits <= allowed && (best.empty() || edits < best_distance)) {
      best = candidate;
      best_distance = edits;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const auto near = nearest(word, candidates);
  return near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", text::printable(near, 128));
}

}  // namespace driveshaft::config
