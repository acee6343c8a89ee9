// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

#include "config/value.h"

namespace driveshaft::config {

// Warns of every member of `object` that is none of the `known` keys, with the one that was probably meant.
// `elsewhere` are keys that have their place at another level, and `place` says where: "inside a pool".
void warn_of_unknown_keys(const Value& object, std::span<const std::string_view> known,
                          std::span<const std::string_view> elsewhere = {}, std::string_view place = {});

// The same as errors, for the objects inside a pool and beside an address: a slip there, such as `tsl`, would
// make plain text of what was meant to be safe, and no jobs file of the original has such objects.
void refuse_unknown_keys(const Value& object, std::span<const std::string_view> known);

}  // namespace driveshaft::config
