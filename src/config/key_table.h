// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "config/unknown_keys.h"
#include "config/value.h"

// How the keys of the jobs file are written down, one row a key, and read. For the files that have such
// tables.
namespace driveshaft::config {

inline constexpr std::size_t kMaxFunctionSize = 512;  // bytes; the lines of gearmand's status stay readable
inline constexpr double kMaxInt = std::numeric_limits<std::int32_t>::max();

// One key and how it is read into a Target.
template <class Target>
struct Key {
  std::string_view name;
  std::string_view type;
  std::string_view reload;
  // False: the value is not of `type`, which is then said. A reader that knows better says so itself.
  bool (*read)(const Value&, Target&);
  // The value as the file would write it; of a fresh Target that is the default. Null: the key is required.
  std::string (*show)(const Target&);
};

// A whole number, in range; 3.0 is one.
template <class T>
bool read_whole(const Value& value, double min, double max, T& out) {
  const double number = value.node().number;
  if (!value.is(Node::Kind::number) || std::trunc(number) != number || number < min || number > max) {
    return false;
  }
  out = static_cast<T>(number);
  return true;
}

inline bool read_number(const Value& value, double min, double max, double& out) {
  const double number = value.node().number;
  if (!value.is(Node::Kind::number) || !(number >= min && number <= max)) return false;
  out = number;
  return true;
}

// A number of seconds from `least` to `most`. One that is not 0 is at least a millisecond: a limit of no time
// at all would let nothing through.
inline bool read_seconds(const Value& value, double least, double most, std::chrono::milliseconds& out) {
  const double seconds = value.node().number;
  if (!value.is(Node::Kind::number) || !(seconds >= least && seconds <= most)) return false;
  out = std::chrono::milliseconds(seconds > 0 ? std::max(1L, std::lround(seconds * 1000)) : 0);
  return true;
}

inline std::string seconds_text(std::chrono::milliseconds time) {
  return fmt::format("{}", static_cast<double>(time.count()) / 1000);
}

inline bool read_bool(const Value& value, bool& out) {
  if (!value.is(Node::Kind::boolean)) return false;
  out = value.node().text == "true";
  return true;
}

inline bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

inline bool has_control(std::string_view text) { return std::any_of(text.begin(), text.end(), is_control); }

// A relative path would have its meaning from wherever the daemon was started.
inline bool is_absolute_path(std::string_view text) { return text.starts_with('/') && !has_control(text); }

// The names of an enumeration's values.
template <class Enum>
struct Choice {
  std::string_view name;
  Enum value;
};

template <class Enum, std::size_t N>
bool read_choice(const Value& value, const Choice<Enum> (&choices)[N], Enum& out) {
  const auto chosen = std::find_if(std::begin(choices), std::end(choices),
                                   [&](const auto& choice) { return choice.name == value.node().text; });
  if (!value.is(Node::Kind::string) || chosen == std::end(choices)) return false;
  out = chosen->value;
  return true;
}

template <class Enum, std::size_t N>
std::string_view name_of(const Choice<Enum> (&choices)[N], Enum value) {
  return std::find_if(std::begin(choices), std::end(choices),
                      [&](const auto& choice) { return choice.value == value; })
      ->name;
}

inline std::string in_quotes(std::string_view name) { return fmt::format("\"{}\"", name); }

template <class Enum, std::size_t N>
std::string names_of(const Choice<Enum> (&choices)[N]) {
  std::vector<std::string> names;
  for (const auto& choice : choices) names.push_back(in_quotes(choice.name));
  return fmt::format("{}", fmt::join(names, ", "));
}

template <class Target, std::size_t N>
void read_keys(const Value& object, const Key<Target> (&keys)[N], Target& target) {
  for (const auto& key : keys) {
    const Node* node = object.node().find(key.name);
    if (!node) {
      if (!key.show) object.missing(key.name, fmt::format("missing, expected {}", key.type));
      continue;
    }
    const Value value = object.member(*node);
    if (!key.read(value, target)) value.error(fmt::format("expected {}, got {}", key.type, value.shown()));
  }
}

template <class Target, std::size_t N>
void append_names(std::vector<std::string_view>& names, const Key<Target> (&keys)[N]) {
  for (const auto& key : keys) names.push_back(key.name);
}

// The same of an object that may have no other keys.
template <class Target, std::size_t N>
void read_only_keys(const Value& object, const Key<Target> (&keys)[N], Target& target) {
  read_keys(object, keys, target);
  std::vector<std::string_view> names;
  append_names(names, keys);
  refuse_unknown_keys(object, names);
}

}  // namespace driveshaft::config
