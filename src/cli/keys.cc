// SPDX-License-Identifier: MIT
#include "cli/keys.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "text/utf8.h"

namespace driveshaft::cli {
namespace {

using Name = Key::Name;

constexpr char kEscape = '\x1b';

// The ends of the escape sequences of keys. A whole sequence is ESC [ A or ESC O A, or, with a number,
// ESC [ 5 ~.
constexpr std::pair<std::string_view, Name> kSequences[] = {
    {"A", Name::up},    {"B", Name::down}, {"H", Name::home}, {"F", Name::end},      {"1~", Name::home},
    {"7~", Name::home}, {"4~", Name::end}, {"8~", Name::end}, {"5~", Name::page_up}, {"6~", Name::page_down}};

std::optional<Key> named(std::string_view sequence) {
  for (const auto& [end, name] : kSequences) {
    if (sequence == end) return Key{name};
  }
  return std::nullopt;
}

// The key at the front: how many bytes it takes, and which key it is, if it has a name here. 0 bytes: the key
// is not complete yet.
struct Found {
  std::size_t bytes;
  std::optional<Key> key;
};

// Whether these bytes may be the beginning of a character in UTF-8.
bool begins_character(std::string_view bytes) {
  const auto first = static_cast<unsigned char>(bytes.front());
  const std::size_t size = first >= 0xf5 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  return bytes.size() < size && std::all_of(bytes.begin() + 1, bytes.end(), text::is_continuation);
}

Found sequence_in(std::string_view bytes) {
  if (bytes.size() == 1) return {0, std::nullopt};
  if (bytes[1] != '[' && bytes[1] != 'O') return {1, Key{Name::escape}};
  const auto is_final = [](char c) { return c >= '@' && c <= '~'; };
  const auto* const end = std::find_if(bytes.begin() + 2, bytes.end(), is_final);
  if (end == bytes.end()) return {0, std::nullopt};
  const auto size = static_cast<std::size_t>(end - bytes.begin()) + 1;
  return {size, named(bytes.substr(2, size - 2))};
}

Found key_in(std::string_view bytes) {
  const char first = bytes.front();
  if (first == kEscape) return sequence_in(bytes);
  if (first == '\r' || first == '\n') return {1, Key{Name::enter}};
  if (first == '\t') return {1, Key{Name::tab}};
  if (first == '\x7f' || first == '\b') return {1, Key{Name::backspace}};
  if (static_cast<unsigned char>(first) < ' ') return {1, std::nullopt};
  const std::size_t size = text::utf8_length(bytes);
  if (size > 0) return {size, Key{Name::character, std::string(bytes.substr(0, size))}};
  return {begins_character(bytes) ? 0U : 1U, std::nullopt};
}

}  // namespace

std::vector<Key> KeyDecoder::feed(std::string_view bytes) {
  pending_ += bytes;
  std::vector<Key> keys;
  std::string_view left = pending_;
  while (!left.empty()) {
    auto [size, key] = key_in(left);
    if (size == 0) break;
    if (key) keys.push_back(std::move(*key));
    left.remove_prefix(size);
  }
  pending_ = std::string(left);
  return keys;
}

std::vector<Key> KeyDecoder::give_up() {
  const bool is_escape = pending_ == std::string_view(&kEscape, 1);
  pending_.clear();
  if (!is_escape) return {};
  return {Key{Name::escape}};
}

}  // namespace driveshaft::cli
