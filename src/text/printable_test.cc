// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "text/printable.h"

namespace driveshaft::text {
namespace {

using namespace std::string_literals;

constexpr std::size_t kAll = 1'000'000;

TEST(Printable, CleanTextOfAnyLengthIsCopied) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(printable(text, kAll), text);
    text += static_cast<char>(' ' + i % 95);
  }
}

std::string value(std::string_view bytes, std::size_t limit = kAll) {
  std::string out;
  append_value(out, bytes, limit);
  return out;
}

TEST(PrintableValue, IsQuotedOnlyWhereItCouldBeTakenForSomethingElse) {
  for (const char* bare : {"", "x", "a=b", "a\"b", "\\", "{\"a\":[1,2]}", "ü€", "0123456789abcdef"})
    EXPECT_EQ(value(bare), bare);
  EXPECT_EQ(value("a b"), "\"a b\"");
  EXPECT_EQ(value("0123456789abcde f"), "\"0123456789abcde f\"");
  EXPECT_EQ(value("ü f"), "\"ü f\"");
  EXPECT_EQ(value("\"a"), R"("\"a")");
  EXPECT_EQ(value("\x1b\\\xff\n"s), R"("\x1b\\\xff\x0a")");
  EXPECT_EQ(value("abc", 2), "\"ab… (3 bytes)\"");
}

TEST(PrintableValue, ASpaceAtAnyPlaceOfABlock) {
  for (std::size_t at = 0; at < 40; ++at) {
    std::string text(40, '~');
    text[at] = ' ';
    EXPECT_EQ(value(text), '"' + text + '"');
  }
}

TEST(Printable, AppendsToWhatIsThere) {
  std::string line = "workload=";
  append_printable(line, "x\ny", kAll);
  EXPECT_EQ(line, "workload=x\\x0ay");
}

TEST(Printable, ControlCharactersAreEscaped) {
  EXPECT_EQ(printable("a\0b\t\x1b[31m\x7f"s, kAll), R"(a\x00b\x09\x1b[31m\x7f)");
  EXPECT_EQ(printable("\xc2\x85"s, kAll), R"(\xc2\x85)") << "next line, a C1 control";
}

TEST(Printable, ControlCharacterAtAnyPlaceOfABlock) {
  for (std::size_t at = 0; at < 70; ++at) {
    std::string text(70, 'x');
    text[at] = '\r';
    EXPECT_EQ(printable(text, kAll), std::string(at, 'x') + "\\x0d" + std::string(69 - at, 'x'));
  }
}

TEST(Printable, ValidUtf8StaysAndTheRestIsEscaped) {
  EXPECT_EQ(printable("é € 😀 \u00a0", kAll), "é € 😀 \u00a0");
  EXPECT_EQ(printable("\xff\xc3"s, kAll), R"(\xff\xc3)");
  EXPECT_EQ(printable("\xc0\xaf"s, kAll), R"(\xc0\xaf)") << "overlong";
  EXPECT_EQ(printable("\xe0\x9f\xbf"s, kAll), R"(\xe0\x9f\xbf)") << "overlong";
  EXPECT_EQ(printable("\xf0\x8f\xbf\xbf"s, kAll), R"(\xf0\x8f\xbf\xbf)") << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"s, kAll), R"(\xed\xa0\x80)") << "surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"s, kAll), R"(\xf4\x90\x80\x80)") << "past U+10FFFF";
  EXPECT_EQ(printable("\xf4\x8f\xbf\xbf"s, kAll), "\xf4\x8f\xbf\xbf"s);
  EXPECT_EQ(printable("\xe2\x82x"s, kAll), R"(\xe2\x82x)") << "cut off by ASCII";
}

TEST(Printable, ACutTextNamesItsLength) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdef", 5), "abcde… (6 bytes)");
  EXPECT_EQ(printable("abcdef", 0), "… (6 bytes)");
  EXPECT_EQ(printable("", 0), "");
  EXPECT_EQ(printable(std::string(1'048'576, 'x'), 3), "xxx… (1048576 bytes)");
}

TEST(Printable, ACutDoesNotSplitACharacter) {
  EXPECT_EQ(printable("a€b", 1), "a… (5 bytes)");
  EXPECT_EQ(printable("a€b", 2), "a… (5 bytes)");
  EXPECT_EQ(printable("a€b", 3), "a… (5 bytes)");
  EXPECT_EQ(printable("a€b", 4), "a€… (5 bytes)");
  EXPECT_EQ(printable("\x80\x80\x80\x80\x80\x80"s, 5), R"(\x80\x80\x80\x80\x80… (6 bytes))");
  EXPECT_EQ(printable("€", 0), "… (3 bytes)");
}

}  // namespace
}  // namespace driveshaft::text
