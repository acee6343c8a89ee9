// SPDX-License-Identifier: MIT
#include "config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <iterator>
#include <unordered_map>

#include "text/printable.h"

namespace driveshaft::config {
namespace {

constexpr std::size_t kMaxProblems = 1000;  // of a kind; more are only counted
constexpr std::size_t kMaxShown = 60;       // bytes of a name or value in a message

// A name as a part of a path. It is in quotes unless it is plain.
std::string path_part(std::string_view name) {
  const bool bare =
      !name.empty() && name.size() <= kMaxShown && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
      });
  return bare ? std::string(name) : fmt::format("\"{}\"", text::printable(name, kMaxShown));
}

bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.front() != '.' && text.back() != '.' &&
         std::count(text.begin(), text.end(), '.') <= 1 && text.find_first_not_of("0123456789.") == text.npos;
}

// Whether the text would be what is expected (`what`) without its quotes.
bool has_needless_quotes(const Node& node, std::string_view what) {
  if (node.kind != Node::Kind::string) return false;
  if (what.starts_with("true")) return node.text == "true" || node.text == "false";
  constexpr std::string_view kNumbers[] = {"a whole number", "a number", "a time", "a size"};
  return is_number(node.text) && std::any_of(std::begin(kNumbers), std::end(kNumbers),
                                             [&](auto number) { return what.starts_with(number); });
}

// Whether the value is one element where an array of such elements is expected.
bool lacks_brackets(const Node& node, std::string_view what) {
  return node.kind == Node::Kind::string && !node.text.empty() && node.text.size() <= kMaxShown &&
         !is_number(node.text) && (what.starts_with("an array") || what.starts_with("a non-empty array"));
}

std::string joined(const std::string& path, std::string_view name) {
  return path.empty() ? path_part(name) : path + '.' + path_part(name);
}

}  // namespace

void Problems::renamed(std::string_view former, std::string_view name, std::string_view place) {
  if (!renamed_.emplace(former).second) return;
  notes_.push_back(fmt::format("{} is now called {}; both are accepted", place, name));
}

void Problems::List::add(int line, std::string message) {
  if (entries.size() < kMaxProblems) {
    entries.push_back({line, std::move(message)});
  } else {
    ++left_out;
  }
}

std::vector<std::string> Problems::List::texts() const {
  auto sorted = entries;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Entry& a, const Entry& b) { return a.line < b.line; });
  std::vector<std::string> texts;
  texts.reserve(sorted.size() + 1);
  for (const Entry& entry : sorted) texts.push_back(fmt::format("{} (line {})", entry.message, entry.line));
  if (left_out > 0) texts.push_back(fmt::format("and {} more like these", left_out));
  return texts;
}

Value Value::member(const Node& child) const { return {child, joined(path_, child.key), *problems_}; }

Value Value::element(std::size_t index) const {
  return {node_->children[index], fmt::format("{}[{}]", path_, index), *problems_};
}

std::string Value::placed(std::string_view message) const {
  return fmt::format("{}: {}", is_root() ? "top level" : path_, message);
}

void Value::error(std::string_view message) const { problems_->error(node_->line, placed(message)); }
bool Value::expected(std::string_view what) const {
  std::string hint;
  if (has_needless_quotes(*node_, what)) {
    hint = fmt::format("; write {} without quotes", text::printable(node_->text, kMaxShown));
  } else if (lacks_brackets(*node_, what)) {
    hint = fmt::format("; write [{}]", shown());
  }
  error(fmt::format("expected {}, got {}{}", what, shown(), hint));
  return true;
}
void Value::warning(std::string_view message) const { problems_->warning(node_->line, placed(message)); }
void Value::key_error(std::string_view message) const { problems_->error(node_->key_line, placed(message)); }
void Value::key_warning(std::string_view message) const {
  problems_->warning(node_->key_line, placed(message));
}

void Value::renamed(std::string_view name) const { problems_->renamed(node_->key, name, path_); }

void Value::missing(std::string_view key, std::string_view message) const {
  problems_->error(node_->line, fmt::format("{}: {}", joined(path_, key), message));
}

std::string Value::shown() const {
  switch (node_->kind) {
    case Node::Kind::null:
      return "null";
    case Node::Kind::boolean:
      return node_->text;
    case Node::Kind::number:
      return text::printable(node_->text, kMaxShown);
    case Node::Kind::string:
      return fmt::format("\"{}\"", text::printable(node_->text, kMaxShown));
    case Node::Kind::array:
      return node_->children.empty() ? "an empty array" : "an array";
    case Node::Kind::object:
      return node_->children.empty() ? "an empty object" : "an object";
  }
  return {};
}

std::string quoted_json(std::string_view text) { return boost::json::serialize(boost::json::string(text)); }

void check_duplicate_names(const Value& value) {
  const auto& children = value.node().children;
  if (value.is(Node::Kind::array)) {
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (!children[i].children.empty()) check_duplicate_names(value.element(i));
    }
  }
  if (!value.is(Node::Kind::object)) return;
  std::unordered_map<std::string_view, int> first_lines;
  for (const Node& child : children) {
    const auto [first, is_new] = first_lines.emplace(child.key, child.key_line);
    if (!is_new) {
      value.member(child).key_error(
          fmt::format("the name stands twice in this object, first on line {}; remove one", first->second));
    }
    if (!child.children.empty()) check_duplicate_names(value.member(child));
  }
}

}  // namespace driveshaft::config
