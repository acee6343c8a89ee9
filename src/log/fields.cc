// SPDX-License-Identifier: MIT
#include "log/fields.h"

#include <algorithm>
#include <charconv>

namespace driveshaft::log {
namespace {

bool is_key(std::string_view key) {
  return !key.empty() &&
         std::all_of(key.begin(), key.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

// Takes the value from the beginning of `rest`. False: there is no valid value.
bool take_value(std::string_view& rest, std::string& value) {
  if (!rest.starts_with('"')) {
    const auto end = std::min(rest.find(' '), rest.size());
    value = rest.substr(0, end);
    rest.remove_prefix(end);
    return true;
  }
  std::size_t at = 1;
  for (; at < rest.size() && rest[at] != '"'; ++at) {
    if (rest[at] != '\\') {
      value += rest[at];
      continue;
    }
    unsigned char byte = 0;
    const char* const hex = rest.data() + at + 2;
    if (rest.substr(at).starts_with("\\x") && rest.size() - at >= 4 &&
        std::from_chars(hex, hex + 2, byte, 16).ptr == hex + 2) {
      value += static_cast<char>(byte);
      at += 3;
    } else if (++at < rest.size()) {
      value += rest[at];
    }
  }
  if (at >= rest.size()) return false;
  rest.remove_prefix(at + 1);
  return true;
}

}  // namespace

std::optional<Fields> parse_fields(std::string_view line) {
  const auto colon = line.find(": ");
  if (colon == line.npos) return {};
  Fields fields{line.substr(0, colon), {}};
  std::string_view rest = line.substr(colon + 2);
  while (true) {
    const auto equals = rest.find('=');
    if (equals == rest.npos || !is_key(rest.substr(0, equals))) return {};
    auto& [key, value] = fields.values.emplace_back(rest.substr(0, equals), "");
    rest.remove_prefix(equals + 1);
    if (!take_value(rest, value)) return {};
    if (rest.empty()) return fields;
    if (!rest.starts_with(' ')) return {};
    rest.remove_prefix(1);
  }
}

}  // namespace driveshaft::log
