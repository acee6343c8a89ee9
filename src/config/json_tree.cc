// SPDX-License-Identifier: MIT
#include "config/json_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "base/utf8.h"

namespace driveshaft::config {
namespace {

// Thrown by the parser's functions and caught in parse_json(): it ends all of them at once.
struct SyntaxError {
  std::string message;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = line_start_ = 3;
  }

  Node document() {
    skip_space();
    if (at_end()) fail("expected a JSON object");
    Node root;
    value(root, 1);
    skip_space();
    if (!at_end()) fail("expected nothing more after the outermost value");
    return root;
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  // NUL stands for the end too; no branch of the grammar accepts one.
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  bool accept(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void skip_space() {
    for (; !at_end(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        line_start_ = at_ + 1;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }

  [[noreturn]] void fail(std::string_view expected) const {
    // Columns count characters: every byte but the continuations of UTF-8.
    const auto before = text_.substr(line_start_, at_ - line_start_);
    const auto column = 1 + std::count_if(before.begin(), before.end(), [](char c) {
                          return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
                        });
    throw SyntaxError{
        fmt::format("{}, found {}{} (line {}, column {})", expected, found(), hint(), line_, column)};
  }

  std::string found() const {
    if (at_end()) return "the end of the file";
    if (peek() == '\n' || text_.substr(at_).starts_with("\r\n")) return "the end of the line";
    const std::size_t length = std::max<std::size_t>(1, base::utf8_length(text_.substr(at_)));
    return fmt::format("'{}'", base::printable(text_.substr(at_, length), length));
  }

  // What people write who know JSON's relatives.
  std::string_view hint() const {
    const auto last = text_.substr(0, at_).find_last_not_of(" \t\r\n");
    const char before = last == text_.npos ? '\0' : text_[last];
    switch (peek()) {
      case '}':
      case ']':
        return before == ',' ? ": remove the comma before it" : "";
      case '/':
      case '#':
        return ": JSON has no comments";
      case '\'':
        return ": strings stand in double quotes";
      default:
        return "";
    }
  }

  void value(Node& node, int depth) {
    if (depth > kMaxJsonDepth)
      fail(fmt::format("expected at most {} values within each other", kMaxJsonDepth));
    if (++nodes_ > kMaxJsonNodes) fail(fmt::format("expected at most {} values in all", kMaxJsonNodes));
    node.line = line_;
    switch (peek()) {
      case '{':
        return object(node, depth);
      case '[':
        return array(node, depth);
      case '"':
        node.kind = Node::Kind::string;
        node.text = string();
        return;
      case 't':
        return word(node, Node::Kind::boolean, "true");
      case 'f':
        return word(node, Node::Kind::boolean, "false");
      case 'n':
        return word(node, Node::Kind::null, "null");
      default:
        if (peek() != '-' && !is_digit(peek())) fail("expected a value");
        return number(node);
    }
  }

  void object(Node& node, int depth) {
    node.kind = Node::Kind::object;
    accept('{');
    skip_space();
    if (accept('}')) return;
    do {
      skip_space();
      if (peek() != '"') fail("expected a name in double quotes");
      Node& member = node.children.emplace_back();
      member.key_line = line_;
      member.key = string();
      skip_space();
      if (!accept(':')) fail("expected ':' after a name");
      skip_space();
      value(member, depth + 1);
      skip_space();
    } while (accept(','));
    if (!accept('}')) fail("expected ',' or '}' after a member of an object");
  }

  void array(Node& node, int depth) {
    node.kind = Node::Kind::array;
    accept('[');
    skip_space();
    if (accept(']')) return;
    do {
      skip_space();
      value(node.children.emplace_back(), depth + 1);
      skip_space();
    } while (accept(','));
    if (!accept(']')) fail("expected ',' or ']' after an element of an array");
  }

  void word(Node& node, Node::Kind kind, std::string_view spelling) {
    if (!text_.substr(at_).starts_with(spelling)) fail("expected a value");
    at_ += spelling.size();
    node.kind = kind;
    node.text = spelling;
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  void digits() {
    if (!is_digit(peek())) fail("expected a digit");
    while (is_digit(peek())) ++at_;
  }

  void number(Node& node) {
    node.kind = Node::Kind::number;
    const std::size_t start = at_;
    accept('-');
    if (!accept('0')) digits();  // no leading zeros
    if (accept('.')) digits();
    if (accept('e') || accept('E')) {
      if (!accept('+')) accept('-');
      digits();
    }
    node.text = text_.substr(start, at_ - start);
    const auto [end, error] =
        std::from_chars(node.text.data(), node.text.data() + node.text.size(), node.number);
    if (error != std::errc()) {
      at_ = start;
      fail("expected a number that a double can hold");
    }
  }

  std::string string() {
    accept('"');
    std::string out;
    for (;;) {
      const std::size_t start = at_;
      while (static_cast<unsigned char>(peek()) >= 0x20 && peek() != '"' && peek() != '\\') {
        const std::size_t length = base::utf8_length(text_.substr(at_));
        if (length == 0) fail("expected valid UTF-8");
        at_ += length;
      }
      out.append(text_, start, at_ - start);
      if (accept('"')) return out;
      if (!accept('\\')) fail("expected a closing '\"' (control characters in a string are written \\u00XX)");
      escape(out);
    }
  }

  void escape(std::string& out) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (accept('u')) {
      base::append_utf8(out, unicode_escape());
      return;
    }
    const auto index = at_end() ? kLetters.npos : kLetters.find(peek());
    if (index == kLetters.npos) fail("expected one of \"\\/bfnrtu after a backslash");
    out += kMeanings[index];
    ++at_;
  }

  // The character after "\u"; one beyond U+FFFF is written as two such escapes, a surrogate pair.
  char32_t unicode_escape() {
    const char32_t first = hex4();
    if (first < 0xd800 || first > 0xdfff) return first;
    const bool leads = first < 0xdc00;
    if (!leads || !accept('\\') || !accept('u')) fail("expected a pair of surrogates (\\uD8XX\\uDCXX)");
    const char32_t second = hex4();
    if (second < 0xdc00 || second > 0xdfff) fail("expected the second half of a pair of surrogates");
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
  }

  char32_t hex4() {
    unsigned unit = 0;
    const char* const begin = text_.data() + at_;
    const auto size = std::min<std::size_t>(4, text_.size() - at_);
    const auto [end, error] = std::from_chars(begin, begin + size, unit, 16);
    at_ += static_cast<std::size_t>(end - begin);
    if (error != std::errc() || end != begin + 4) fail("expected four hexadecimal digits after \\u");
    return unit;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::size_t line_start_ = 0;
  std::size_t nodes_ = 0;
};

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto member =
      std::find_if(children.begin(), children.end(), [&](const Node& m) { return m.key == name; });
  return member == children.end() ? nullptr : &*member;
}

base::Result<Node> parse_json(std::string_view text) {
  try {
    return Parser(text).document();
  } catch (const SyntaxError& error) {
    return base::Error{error.message};
  }
}

}  // namespace driveshaft::config
