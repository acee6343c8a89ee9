// SPDX-License-Identifier: MIT
#include "text/same_secret.h"

#include <gtest/gtest.h>

namespace driveshaft::text {
namespace {

TEST(SameSecret, AllOfItMustBeRight) {
  const Secret secret("0123456789abcdef");
  EXPECT_TRUE(same_secret("0123456789abcdef", secret));
  for (const char* other :
       {"", "0123456789abcde", "0123456789abcdeF", "x123456789abcdef", "0123456789abcdef0"}) {
    EXPECT_FALSE(same_secret(other, secret)) << other;
  }
}

}  // namespace
}  // namespace driveshaft::text
