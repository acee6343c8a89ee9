// SPDX-License-Identifier: MIT
#include "text/lower_case.h"

#include <gtest/gtest.h>

namespace driveshaft::text {
namespace {

TEST(LowerCase, OnlyAsciiLettersChange) {
  EXPECT_EQ(in_lower_case(""), "");
  EXPECT_EQ(in_lower_case("AZ az 09"), "az az 09");
  EXPECT_EQ(in_lower_case("@[`{"), "@[`{") << "the neighbours of the letters";
  EXPECT_EQ(in_lower_case("\xc4\xd6"), "\xc4\xd6") << "umlauts of Latin-1";
}

}  // namespace
}  // namespace driveshaft::text
