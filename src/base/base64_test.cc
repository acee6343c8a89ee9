// SPDX-License-Identifier: MIT
#include "base/base64.h"

#include <gtest/gtest.h>

namespace driveshaft::base {
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

}  // namespace
}  // namespace driveshaft::base
