// SPDX-License-Identifier: MIT
#include "text/equal_ignoring_case.h"

#include <gtest/gtest.h>

namespace driveshaft::text {
namespace {

TEST(EqualIgnoringCase, OnlyTheCaseOfAsciiLettersMayDiffer) {
  EXPECT_TRUE(equal_ignoring_case("", ""));
  EXPECT_TRUE(equal_ignoring_case("az-AZ", "AZ-az"));
  EXPECT_FALSE(equal_ignoring_case("a", "aa"));
  EXPECT_FALSE(equal_ignoring_case("[", "{")) << "they differ in the bit that letters differ in";
  EXPECT_FALSE(equal_ignoring_case("\xc4", "\xe4")) << "an umlaut of Latin-1";
}

}  // namespace
}  // namespace driveshaft::text
