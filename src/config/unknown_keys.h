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

// Adds errors instead of warnings, for the objects inside a pool and beside an address: a typing error there,
// such as `tsl`, would turn encryption off. Jobs files of the original have no such objects, so none of them
// is refused.
void refuse_unknown_keys(const Value& object, std::span<const std::string_view> known);

}  // namespace driveshaft::config
