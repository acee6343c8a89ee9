// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace driveshaft::config {

// The candidate that `word` was probably meant to be: one that differs in case alone, or else the one with
// the fewest letters inserted, left out, changed or swapped with a neighbour, if these are few for its
// length. Empty if none comes near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

// The end of a message about an unknown word: `; did you mean "Web"?`, or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace driveshaft::config
