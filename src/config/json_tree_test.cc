// SPDX-License-Identifier: MIT
#include "config/json_tree.h"

#include <gtest/gtest.h>

namespace driveshaft::config {
namespace {

Node tree(std::string_view text) {
  const auto root = parse_json(text);
  EXPECT_TRUE(root) << root.error().message;
  return root ? *root : Node{};
}

std::string failure(std::string_view text) {
  const auto root = parse_json(text);
  return root ? "parsed" : root.error().message;
}

TEST(JsonTree, EveryKindWithItsLine) {
  const Node root = tree(
      "{\n"
      "  \"a\": [1, -2.50,\r\n"
      "        true, false, null],\n"
      "  \"b\"\n"
      "    : \"x\"}\n");
  ASSERT_EQ(root.kind, Node::Kind::object);
  EXPECT_EQ(root.line, 1);
  ASSERT_EQ(root.children.size(), 2u);
  const Node& a = *root.find("a");
  ASSERT_EQ(a.kind, Node::Kind::array);
  EXPECT_EQ(a.line, 2);
  ASSERT_EQ(a.children.size(), 5u);
  EXPECT_EQ(a.children[0].number, 1);
  EXPECT_EQ(a.children[1].number, -2.5);
  EXPECT_EQ(a.children[1].text, "-2.50");
  EXPECT_EQ(a.children[1].line, 2);
  EXPECT_EQ(a.children[2].kind, Node::Kind::boolean);
  EXPECT_EQ(a.children[2].text, "true");
  EXPECT_EQ(a.children[2].line, 3);
  EXPECT_EQ(a.children[3].text, "false");
  EXPECT_EQ(a.children[4].kind, Node::Kind::null);
  const Node& b = *root.find("b");
  EXPECT_EQ(b.key_line, 4);
  EXPECT_EQ(b.line, 5);
  EXPECT_EQ(b.text, "x");
  EXPECT_EQ(root.find("c"), nullptr);
}

TEST(JsonTree, Numbers) {
  for (const char* good : {"0", "-0", "10", "1.5", "1e3", "1E+3", "1e-3", "0.0", "123456789012345678901"}) {
    EXPECT_EQ(tree(good).kind, Node::Kind::number) << good;
  }
  EXPECT_EQ(tree("1e3").number, 1000);
  EXPECT_EQ(failure("01"), "extra data, found '1' (line 1, column 2)");
  EXPECT_EQ(failure("1."), "syntax error, found the end of the file (line 1, column 3)");
  EXPECT_EQ(failure("-x"), "syntax error, found 'x' (line 1, column 2)");
  EXPECT_EQ(failure("1e+"), "syntax error, found the end of the file (line 1, column 4)");
  EXPECT_EQ(failure("+1"), "syntax error, found '+' (line 1, column 1)");
  EXPECT_EQ(failure(".5"), "syntax error, found '.' (line 1, column 1)");
  EXPECT_EQ(failure("NaN"), "syntax error, found 'N' (line 1, column 1)");
  EXPECT_EQ(failure("[1, 1e999]"), "a number that no double can hold, found ']' (line 1, column 10)");
}

TEST(JsonTree, StringsAreDecoded) {
  EXPECT_EQ(tree(R"("\"\\\/\b\f\n\r\t")").text, "\"\\/\b\f\n\r\t");
  EXPECT_EQ(tree(R"("\u0041\u00e9\u20AC\ud83d\ude00")").text, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(tree(R"("\u0000")").text, std::string(1, '\0'));
  EXPECT_EQ(tree("\"\xc3\xa9\x7f\"").text, "\xc3\xa9\x7f");
}

TEST(JsonTree, BadStrings) {
  EXPECT_EQ(failure("\"a\nb\""), "syntax error, found the end of the line (line 1, column 3)");
  EXPECT_EQ(failure("\"a\tb\""), "syntax error, found '\\x09' (line 1, column 3)");
  EXPECT_EQ(failure("\"a"), "incomplete JSON, found the end of the file (line 1, column 3)");
  EXPECT_EQ(failure("\"\xff\""),
            "syntax error, found '\\xff': it is no UTF-8; save the file in that encoding (line 1, column 2)");
  EXPECT_EQ(failure("\"\xed\xa0\x80\""),
            "syntax error, found '\\x80': it is no UTF-8; save the file in that encoding (line 1, column 3)");
  EXPECT_EQ(failure("\"\xc3"), "incomplete JSON, found the end of the file (line 1, column 3)");
  EXPECT_EQ(failure(R"("\x")"), "syntax error, found 'x' (line 1, column 3)");
  EXPECT_EQ(failure(R"("\u12g4")"), "expected hex digit, found 'g' (line 1, column 6)");
  EXPECT_EQ(failure(R"("\ud83d")"), "syntax error, found '\"' (line 1, column 8)");
  EXPECT_EQ(failure(R"("\ude00")"), "illegal trailing surrogate, found '0' (line 1, column 7)");
}

TEST(JsonTree, CommonMistakesAreExplained) {
  EXPECT_EQ(failure("{\"a\": 1,\n}"),
            "syntax error, found '}': remove the comma before it (line 2, column 1)");
  EXPECT_EQ(failure("[1, ]"), "syntax error, found ']': remove the comma before it (line 1, column 5)");
  EXPECT_EQ(failure("{\n  // pools\n}"), "syntax error, found '/': JSON has no comments (line 2, column 3)");
  EXPECT_EQ(failure("{'a': 1}"),
            "syntax error, found ''': write strings in double quotes (line 1, column 2)");
  EXPECT_EQ(failure("{\"a\": 1 \"b\": 2}"),
            "syntax error, found '\"': a comma is missing before it (line 1, column 9)");
  EXPECT_EQ(failure("[\"\xc3\xa9\" \"b\"]"),
            "syntax error, found '\"': a comma is missing before it (line 1, column 6)");
  EXPECT_EQ(failure("{\"a\": [1 [2]]}"),
            "syntax error, found '[': a comma is missing before it (line 1, column 10)");
  EXPECT_EQ(failure("{\"a\" {}}"), "syntax error, found '{' (line 1, column 6)");
  EXPECT_EQ(failure("{a: 1}"), "syntax error, found 'a' (line 1, column 2)");
  EXPECT_EQ(failure("{} {}"), "extra data, found '{' (line 1, column 4)");
  EXPECT_EQ(failure("[1"), "incomplete JSON, found the end of the file (line 1, column 3)");
  EXPECT_EQ(failure("tru"), "incomplete JSON, found the end of the file (line 1, column 4)");
}

TEST(JsonTree, EmptyFiles) {
  EXPECT_EQ(failure(""), "incomplete JSON, found the end of the file (line 1, column 1)");
  EXPECT_EQ(failure("\n \n"), "incomplete JSON, found the end of the file (line 3, column 1)");
  EXPECT_EQ(failure(std::string_view("\0", 1)), "syntax error, found '\\x00' (line 1, column 1)");
}

TEST(JsonTree, OneByteOrderMarkIsSkipped) {
  EXPECT_EQ(tree("\xef\xbb\xbf{}").kind, Node::Kind::object);
  EXPECT_EQ(failure("\xef\xbb\xbfx"), "syntax error, found 'x' (line 1, column 1)");
  EXPECT_EQ(failure("\xef\xbb\xbf\xef\xbb\xbf{}"), "syntax error, found '\xef\xbb\xbf' (line 1, column 1)");
}

TEST(JsonTree, NamesGivenTwiceAreKept) {
  const Node root = tree(R"({"a": 1, "a": 2})");
  ASSERT_EQ(root.children.size(), 2u);
  EXPECT_EQ(root.find("a")->number, 1);
}

TEST(JsonTree, DepthAndSizeAreBounded) {
  EXPECT_EQ(tree(std::string(32, '[') + std::string(32, ']')).kind, Node::Kind::array);
  EXPECT_EQ(failure(std::string(33, '[')),
            "more than 32 values within each other, found '[' (line 1, column 33)");
  std::string many = "[0";
  for (std::size_t i = 2; i < kMaxJsonNodes; ++i) many += ",0";
  EXPECT_EQ(tree(many + "]").children.size(), kMaxJsonNodes - 1);
  EXPECT_EQ(failure(many + ",0]").substr(0, 31), "more than 500000 values, found ");
}

}  // namespace
}  // namespace driveshaft::config
