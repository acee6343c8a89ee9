// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/diff.h"
#include "config/unknown_keys.h"
#include "config/value.h"
#include "text/units.h"

// The keys of the jobs file in tables, one row a key, and how they are read. For the files that have such
// tables.
namespace driveshaft::config {

inline constexpr std::size_t kMaxFunctionSize = 512;   // bytes; the lines of gearmand's status stay readable
inline constexpr int kMaxRunningTime = 1'000'000'000;  // seconds, as on the command line
inline constexpr std::int32_t kMaxInt = std::numeric_limits<std::int32_t>::max();

// One key: how its value is read into a Target, shown, and compared.
template <class Target>
struct Key {
  std::string_view name;
  std::string_view type;    // completes "expected …"
  std::string_view reload;  // what a reload does with a new value
  // False: the value is not of `type`, and the caller reports that. True also if the reader has reported a
  // better message itself.
  bool (*read)(const Value&, Target&);
  // The value as the file would write it, with secrets masked. For a fresh Target this is the default.
  std::string (*show)(const Target&);
  bool (*same)(const Target&, const Target&);
  std::string_view former_name = {};  // accepted as well; empty: there is none
  bool required = false;
  Renewal renewal = Renewal::none;
  // The lines of the log for a change. Null: one line, "name before -> after".
  std::vector<std::string> (*describe)(const Target& before, const Target& after) = nullptr;
  // Whether the value has any effect. Null: it always has.
  bool (*has_effect)(const Target&) = nullptr;

  constexpr Key formerly(std::string_view former) const { return with(&Key::former_name, former); }
  constexpr Key is_required() const { return with(&Key::required, true); }
  constexpr Key renews(Renewal what) const { return with(&Key::renewal, what); }
  constexpr Key described_by(std::vector<std::string> (*by)(const Target&, const Target&)) const {
    return with(&Key::describe, by);
  }
  constexpr Key effective_if(bool (*effective)(const Target&)) const {
    return with(&Key::has_effect, effective);
  }

 private:
  constexpr Key with(auto member, auto value) const {
    Key key = *this;
    key.*member = value;
    return key;
  }
};

template <class Target>
using Keys = std::span<const Key<Target>>;

template <class Target, class Value>
Target target_of(Value Target::*);

// The row of a key whose value is one member of its target; `Kind` reads and shows the member's type.
template <auto Member, class Kind>
constexpr auto key(std::string_view name, std::string_view type, std::string_view reload = "") {
  using Target = decltype(target_of(Member));
  return Key<Target>{name,
                     type,
                     reload,
                     [](const Value& value, Target& target) { return Kind::read(value, target.*Member); },
                     [](const Target& target) { return std::string(Kind::show(target.*Member)); },
                     [](const Target& a, const Target& b) { return a.*Member == b.*Member; }};
}

// Reads a whole number in the range; 3.0 is one.
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

// A number of seconds, or a time with a unit, from `least` to `most` seconds. A time above 0 is at least one
// millisecond: a limit of no time at all would let nothing through.
inline bool read_seconds(const Value& value, double least, double most, std::chrono::milliseconds& out) {
  double seconds = value.node().number;
  if (value.is(Node::Kind::string)) {
    const auto time = text::parse_duration(value.node().text);
    if (!time) return value.expected(text::kDurationForms);
    seconds = std::chrono::duration<double>(*time).count();
  } else if (!value.is(Node::Kind::number)) {
    return false;
  }
  if (!(seconds >= least && seconds <= most)) return false;
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

// A relative path would depend on the folder where the daemon was started.
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

// Kinds of values, for key().
struct YesOrNo {
  static bool read(const Value& value, bool& out) { return read_bool(value, out); }
  static std::string_view show(bool value) { return value ? "true" : "false"; }
};

template <std::int64_t kMin, std::int64_t kMax>
struct Whole {
  template <class T>
  static bool read(const Value& value, T& out) {
    return read_whole(value, kMin, kMax, out);
  }
  template <class T>
  static std::string show(T value) {
    return std::to_string(value);
  }
};

// A whole number of bytes, or a size with a unit.
template <std::int64_t kMin, std::int64_t kMax>
struct Bytes : Whole<kMin, kMax> {
  static bool read(const Value& value, std::size_t& out) {
    if (!value.is(Node::Kind::string)) return read_whole(value, kMin, kMax, out);
    const auto size = text::parse_size(value.node().text);
    if (!size) return value.expected(text::kSizeForms);
    if (const auto bytes = static_cast<double>(*size); bytes < kMin || bytes > kMax) return false;
    out = *size;
    return true;
  }
};

template <int kMin, int kMax>
struct Number {
  static bool read(const Value& value, double& out) { return read_number(value, kMin, kMax, out); }
  static std::string show(double value) { return fmt::format("{}", value); }
};

template <int kMax>
struct Seconds {
  static bool read(const Value& value, std::chrono::milliseconds& out) {
    return read_seconds(value, 0, kMax, out);
  }
  static std::string show(std::chrono::milliseconds value) { return seconds_text(value); }
};

// As Seconds, but never 0.
template <int kMax>
struct SomeSeconds : Seconds<kMax> {
  static bool read(const Value& value, std::chrono::milliseconds& out) {
    return read_seconds(value, 1e-9, kMax, out);
  }
};

template <const auto& kChoices>
struct OneOf {
  template <class Enum>
  static bool read(const Value& value, Enum& out) {
    return read_choice(value, kChoices, out);
  }
  template <class Enum>
  static std::string show(Enum value) {
    return in_quotes(name_of(kChoices, value));
  }
};

// Shown for a key that is left out and has no default.
inline constexpr std::string_view kNone = "none";

// The member that has the key's value, under its name or its former one. Null: there is none.
template <class Target>
const Node* find_member(const Value& object, const Key<Target>& key) {
  const Node* node = object.node().find(key.name);
  const Node* former = key.former_name.empty() ? nullptr : object.node().find(key.former_name);
  if (!former) return node;
  const Value member = object.member(*former);
  if (node) {
    member.key_error(fmt::format("{} stands here too, which is its name now; remove one", key.name));
  } else {
    member.renamed(key.name);
  }
  return former;
}

template <class Target>
void read_keys(const Value& object, Keys<Target> keys, Target& target) {
  for (const auto& key : keys) {
    const Node* node = find_member(object, key);
    if (!node) {
      if (key.required) object.missing(key.name, fmt::format("missing, expected {}", key.type));
      continue;
    }
    const Value value = object.member(*node);
    if (!key.read(value, target)) value.expected(key.type);
  }
}

template <class Target>
void append_names(std::vector<std::string_view>& names, Keys<Target> keys) {
  for (const auto& key : keys) {
    names.push_back(key.name);
    if (!key.former_name.empty()) names.push_back(key.former_name);
  }
}

// Reads an object of these keys, and refuses any other key.
template <class Target>
void read_object(const Value& object, Keys<Target> keys, Target& target) {
  read_keys(object, keys, target);
  std::vector<std::string_view> names;
  append_names(names, keys);
  refuse_unknown_keys(object, names);
}

// Every key with its value: {"attempts": 3}. Keys with the same value in `leave_out` are left out.
template <class Target>
std::string object_text(Keys<Target> keys, const Target& target, const Target* leave_out = nullptr) {
  std::vector<std::string> members;
  for (const auto& key : keys) {
    if (leave_out && key.same(target, *leave_out)) continue;
    members.push_back(fmt::format("{}: {}", in_quotes(key.name), key.show(target)));
  }
  return fmt::format("{{{}}}", fmt::join(members, ", "));
}

inline std::string from_to(std::string_view name, std::string_view before, std::string_view after) {
  return fmt::format("{} {} -> {}", name, before, after);
}

// Calls `found`(key, lines for the log) for each key whose values differ.
template <class Target, class Found>
void for_changed_keys(Keys<Target> keys, const Target& before, const Target& after, Found found) {
  for (const auto& key : keys) {
    if (key.same(before, after)) continue;
    std::vector<std::string> changes;
    if (key.describe) {
      changes = key.describe(before, after);
    } else {
      changes.push_back(from_to(key.name, key.show(before), key.show(after)));
    }
    found(key, changes);
  }
}

}  // namespace driveshaft::config
