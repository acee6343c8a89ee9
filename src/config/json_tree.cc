// SPDX-License-Identifier: MIT
#include "config/json_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <utility>

#include "text/printable.h"
#include "text/utf8.h"

namespace driveshaft::config {
namespace {

namespace json = boost::json;
using boost::system::error_code;

// What Boost.JSON's parser calls: builds the tree, each node with the line that is being read.
class TreeBuilder {
 public:
  static constexpr std::size_t max_object_size = kMaxJsonNodes;
  static constexpr std::size_t max_array_size = kMaxJsonNodes;
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  int line = 1;           // set by who feeds the parser
  bool too_many = false;  // why a callback returned false
  bool beyond_double = false;

  Node take_root() { return std::move(root_); }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code& error) { return begin(Node::Kind::object, error); }
  bool on_object_end(std::size_t, error_code&) { return end(); }
  bool on_array_begin(error_code& error) { return begin(Node::Kind::array, error); }
  bool on_array_end(std::size_t, error_code&) { return end(); }

  bool on_key_part(json::string_view part, std::size_t, error_code&) { return add_text(part); }
  bool on_key(json::string_view part, std::size_t, error_code&) {
    add_text(part);
    key_ = std::exchange(text_, {});
    key_line_ = line;
    return true;
  }

  bool on_string_part(json::string_view part, std::size_t, error_code&) { return add_text(part); }
  bool on_string(json::string_view part, std::size_t, error_code& error) {
    add_text(part);
    return leaf(Node::Kind::string, error);
  }
  bool on_number_part(json::string_view part, error_code&) { return add_text(part); }
  bool on_int64(std::int64_t, json::string_view part, error_code& error) { return number(part, error); }
  bool on_uint64(std::uint64_t, json::string_view part, error_code& error) { return number(part, error); }
  bool on_double(double, json::string_view part, error_code& error) { return number(part, error); }
  bool on_bool(bool value, error_code& error) {
    text_ = value ? "true" : "false";
    return leaf(Node::Kind::boolean, error);
  }
  bool on_null(error_code& error) { return leaf(Node::Kind::null, error); }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  bool add_text(json::string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }

  bool refuse(bool& reason, error_code& error) {
    reason = true;
    error = json::error::syntax;
    return false;
  }

  Node new_node(Node::Kind kind) {
    Node node;
    node.kind = kind;
    node.line = line;
    node.key = std::exchange(key_, {});
    node.key_line = key_line_;
    return node;
  }

  bool begin(Node::Kind kind, error_code& error) {
    if (++nodes_ > kMaxJsonNodes) return refuse(too_many, error);
    open_.push_back(new_node(kind));
    return true;
  }

  bool end() {
    Node node = std::move(open_.back());
    open_.pop_back();
    place(std::move(node));
    return true;
  }

  bool number(json::string_view part, error_code& error) {
    add_text(part);
    double value = 0;
    if (std::from_chars(text_.data(), text_.data() + text_.size(), value).ec != std::errc()) {
      return refuse(beyond_double, error);
    }
    number_ = value;
    return leaf(Node::Kind::number, error);
  }

  bool leaf(Node::Kind kind, error_code& error) {
    if (++nodes_ > kMaxJsonNodes) return refuse(too_many, error);
    Node node = new_node(kind);
    node.text = std::exchange(text_, {});
    node.number = std::exchange(number_, 0);
    place(std::move(node));
    return true;
  }

  void place(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().children.push_back(std::move(node));
    }
  }

  Node root_;
  std::vector<Node> open_;  // objects and arrays around what is being read, the outermost first
  std::string key_;
  int key_line_ = 1;
  std::string text_;
  double number_ = 0;
  std::size_t nodes_ = 0;
};

// Whether a value of JSON may end with it.
bool ends_value(char c) {
  return c == '"' || c == '}' || c == ']' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

// A place in the text, and how messages show it.
class Place {
 public:
  Place(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  std::string found() const {
    const auto rest = text_.substr(at_);
    if (rest.empty()) return "the end of the file";
    if (rest.starts_with('\n') || rest.starts_with("\r\n")) return "the end of the line";
    const std::size_t length = std::max<std::size_t>(1, text::utf8_length(rest));
    return fmt::format("'{}'", text::printable(rest.substr(0, length), length));
  }

  // Mistakes of people who know similar formats.
  std::string_view hint(const error_code& error) const {
    if (error == json::error::extra_data) return "";
    const auto last = text_.substr(0, at_).find_last_not_of(" \t\r\n");
    const char before = last == text_.npos ? '\0' : text_[last];
    if (at_ < text_.size() && text::utf8_length(text_.substr(at_)) == 0) {
      return ": it is no UTF-8; save the file in that encoding";
    }
    switch (at_ < text_.size() ? text_[at_] : '\0') {
      case '}':
      case ']':
        return before == ',' ? ": remove the comma before it" : "";
      case '/':
      case '#':
        return ": JSON has no comments";
      case '\'':
        return ": write strings in double quotes";
      case '{':
      case '[':
        if (before == '"') return "";  // of a name, perhaps
        [[fallthrough]];
      case '"':
        return ends_value(before) && last + 1 < at_ ? ": a comma is missing before it" : "";
      default:
        return "";
    }
  }

  // Columns count characters from 1: all bytes except continuations of UTF-8.
  std::ptrdiff_t column() const {
    const auto newline = text_.substr(0, at_).rfind('\n');
    const auto before = text_.substr(0, at_).substr(newline == text_.npos ? 0 : newline + 1);
    return 1 + std::count_if(before.begin(), before.end(), [](char c) { return !text::is_continuation(c); });
  }

 private:
  std::string_view text_;
  std::size_t at_;
};

std::string reason(const TreeBuilder& builder, const error_code& error) {
  if (builder.too_many) return fmt::format("more than {} values", kMaxJsonNodes);
  if (builder.beyond_double) return "a number that no double can hold";
  if (error == json::error::too_deep)
    return fmt::format("more than {} values within each other", kMaxJsonDepth);
  return error.message();
}

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto member =
      std::find_if(children.begin(), children.end(), [&](const Node& m) { return m.key == name; });
  return member == children.end() ? nullptr : &*member;
}

base::Result<Node> parse_json(std::string_view text) {
  if (text.starts_with(text::kByteOrderMark)) text.remove_prefix(text::kByteOrderMark.size());

  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::basic_parser<TreeBuilder> parser(options);
  TreeBuilder& builder = parser.handler();
  error_code error;
  // The parser does not say where it stopped. So it gets one byte at a time.
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (parser.write_some(true, &text[at], 1, error) == 0 && !error) error = json::error::extra_data;
    if (error) break;
    if (text[at] == '\n') ++builder.line;
  }
  if (!error) parser.write_some(false, nullptr, 0, error);
  if (!error) return builder.take_root();
  const Place place(text, at);
  return base::Error{fmt::format("{}, found {}{} (line {}, column {})", reason(builder, error), place.found(),
                                 place.hint(error), builder.line, place.column())};
}

}  // namespace driveshaft::config
