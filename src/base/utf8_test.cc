// SPDX-License-Identifier: MIT
#include "base/utf8.h"

#include <gtest/gtest.h>

namespace driveshaft::base {
namespace {

TEST(Utf8, LengthOfTheFirstCharacter) {
  EXPECT_EQ(utf8_length(""), 0u);
  EXPECT_EQ(utf8_length("ab"), 1u);
  EXPECT_EQ(utf8_length(std::string_view("\0", 1)), 1u);
  EXPECT_EQ(utf8_length("\xc3\xa9x"), 2u);
  EXPECT_EQ(utf8_length("\xe2\x82\xac"), 3u);
  EXPECT_EQ(utf8_length("\xf0\x9f\x98\x80"), 4u);
  EXPECT_EQ(utf8_length("\xf4\x8f\xbf\xbf"), 4u);  // U+10FFFF
}

TEST(Utf8, WhatIsNotUtf8) {
  EXPECT_EQ(utf8_length("\x80"), 0u);              // a continuation alone
  EXPECT_EQ(utf8_length("\xc3"), 0u);              // cut off
  EXPECT_EQ(utf8_length("\xe2\x82"), 0u);          // cut off
  EXPECT_EQ(utf8_length("\xc3("), 0u);             // no continuation
  EXPECT_EQ(utf8_length("\xc1\xbf"), 0u);          // overlong
  EXPECT_EQ(utf8_length("\xe0\x9f\xbf"), 0u);      // overlong
  EXPECT_EQ(utf8_length("\xf0\x8f\xbf\xbf"), 0u);  // overlong
  EXPECT_EQ(utf8_length("\xed\xa0\x80"), 0u);      // a surrogate
  EXPECT_EQ(utf8_length("\xf4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(utf8_length("\xff\xff\xff\xff"), 0u);
}

TEST(Utf8, EveryCharacterIsWrittenAsItIsRead) {
  for (char32_t c = 0; c <= 0x10ffff; ++c) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_EQ(utf8_length(text), text.size()) << "U+" << std::hex << static_cast<unsigned>(c);
  }
}

}  // namespace
}  // namespace driveshaft::base
