// SPDX-License-Identifier: MIT
#include "text/utf8.h"

#include <gtest/gtest.h>

namespace driveshaft::text {
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

// Each sequence of three bytes, with a fourth byte where one is needed, is valid if the table of RFC 3629
// says so.
TEST(Utf8, AgreesWithTheTableOfTheRfc) {
  const auto tail = [](unsigned byte) { return byte >= 0x80 && byte <= 0xbf; };
  for (unsigned bytes = 0; bytes <= 0xffffff; ++bytes) {
    const unsigned a = bytes >> 16;
    const unsigned b = (bytes >> 8) & 0xff;
    const unsigned c = bytes & 0xff;
    std::size_t expected = 0;
    if (a <= 0x7f) {
      expected = 1;
    } else if (a >= 0xc2 && a <= 0xdf) {
      expected = tail(b) ? 2 : 0;
    } else if (a >= 0xe0 && a <= 0xef) {
      const bool second = a == 0xe0 ? b >= 0xa0 && b <= 0xbf : a == 0xed ? b >= 0x80 && b <= 0x9f : tail(b);
      expected = second && tail(c) ? 3 : 0;
    } else if (a >= 0xf0 && a <= 0xf4) {
      const bool second = a == 0xf0 ? b >= 0x90 && b <= 0xbf : a == 0xf4 ? b >= 0x80 && b <= 0x8f : tail(b);
      expected = second && tail(c) ? 4 : 0;
    }
    const char text[] = {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c), '\x80'};
    ASSERT_EQ(utf8_length({text, 4}), expected) << std::hex << bytes;
  }
}

}  // namespace
}  // namespace driveshaft::text
