// SPDX-License-Identifier: MIT
#include "config/unknown_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/nearest.h"

namespace driveshaft::config {
namespace {

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

void warn_of_unknown_keys(const Value& object, std::span<const std::string_view> known,
                          std::span<const std::string_view> elsewhere, std::string_view place) {
  for (const Node& child : object.node().children) {
    if (contains(known, child.key)) continue;
    object.member(child).key_warning("unknown key, ignored" + (contains(elsewhere, child.key)
                                                                   ? fmt::format("; it belongs {}", place)
                                                                   : did_you_mean(child.key, known)));
  }
}

void refuse_unknown_keys(const Value& object, std::span<const std::string_view> known) {
  for (const Node& child : object.node().children) {
    if (contains(known, child.key)) continue;
    object.member(child).key_error("unknown key, remove it" + did_you_mean(child.key, known));
  }
}

}  // namespace driveshaft::config
