// SPDX-License-Identifier: MIT
#include "text/base64.h"

#include <gtest/gtest.h>

namespace driveshaft::text {
namespace {

TEST(Base64, MatchesTheVectorsOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Base64, KeepsNulAndHighBytes) { EXPECT_EQ(base64(std::string_view("\0\xff\xfe", 3)), "AP/+"); }

TEST(Base64, LongInputHasPaddingOnlyAtItsEnd) {
  const std::string text = base64(std::string(3 * (1 << 20) + 1, 'a'));
  ASSERT_EQ(text.size(), 4u * (1 << 20) + 4);
  EXPECT_EQ(text.find('='), text.size() - 2);
  EXPECT_EQ(text.find('\0'), std::string::npos);
  EXPECT_EQ(text.substr(text.size() - 8), "YWFhYQ==");
}

TEST(FromBase64, DecodesWhatBase64Writes) {
  std::string bytes;
  for (int value = 0; value < 256; ++value) {
    EXPECT_EQ(from_base64(base64(bytes)), bytes);
    bytes += static_cast<char>(255 - value);
  }
}

TEST(FromBase64, RefusesEverythingElse) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", " Zg==", "Zg==\n",
                           "Zm 9v", "Zm9-", "Zm9_", "Zm\n9v", "    "}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << '"' << text << '"';
  }
}

}  // namespace
}  // namespace driveshaft::text
