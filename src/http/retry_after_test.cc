// SPDX-License-Identifier: MIT
#include "http/retry_after.h"

#include <gtest/gtest.h>

namespace driveshaft::http {
namespace {

using namespace std::chrono_literals;

// 6 Nov 1994, 08:49:37 GMT, the date of the examples in RFC 9110.
constexpr auto kThen = std::chrono::system_clock::time_point(784111777s);

TEST(RetryAfter, IsANumberOfSeconds) {
  EXPECT_EQ(parse_retry_after("120", kThen), 120s);
  EXPECT_EQ(parse_retry_after("0", kThen), 0s);
}

TEST(RetryAfter, IsADateInOneOfThreeFormats) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", kThen - 90s), 90s);
  EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:49:37 GMT", kThen - 90s), 90s);
  EXPECT_EQ(parse_retry_after("Sun Nov  6 08:49:37 1994", kThen - 90s), 90s);
}

TEST(RetryAfter, ADateInThePastMeansNoWait) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", kThen + 1h), 0s);
}

TEST(RetryAfter, APartOfASecondCountsAsAWholeSecond) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", kThen - 1500ms), 2s);
}

TEST(RetryAfter, AVeryLongWaitIsAYear) {
  EXPECT_EQ(parse_retry_after("99999999999", kThen), 24h * 365);
  EXPECT_EQ(parse_retry_after("99999999999999999999999999", kThen), 24h * 365);
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", kThen), 24h * 365);
}

TEST(RetryAfter, AnyOtherValueIsNone) {
  for (const char* text :
       {"", "soon", "-1", "1.5", "12 s", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37 CET"}) {
    EXPECT_EQ(parse_retry_after(text, kThen), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace driveshaft::http
