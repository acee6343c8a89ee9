// SPDX-License-Identifier: MIT
#include "base/stderr.h"

#include <gtest/gtest.h>

namespace driveshaft::base {
namespace {

TEST(FirstLines, AreWholeAndAsManyAsFit) {
  EXPECT_EQ(first_lines("12\n45\n78\n", 9), "12\n45\n78\n");
  EXPECT_EQ(first_lines("12\n45\n78\n", 8), "12\n45\n");
  EXPECT_EQ(first_lines("12\n45\n78\n", 6), "12\n45\n");
  EXPECT_EQ(first_lines("12\n45\n78\n", 5), "12\n");
  EXPECT_EQ(first_lines("12\n45", 100), "12\n");
}

TEST(FirstLines, ALineThatIsTooLongIsCut) {
  EXPECT_EQ(first_lines("12345\n78\n", 5), "12345");
  EXPECT_EQ(first_lines("12345\n78\n", 6), "12345\n");
  EXPECT_EQ(first_lines("123", 5), "123");
  EXPECT_EQ(first_lines("", 5), "");
}

}  // namespace
}  // namespace driveshaft::base
