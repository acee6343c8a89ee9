// SPDX-License-Identifier: MIT
#include "admin/wrong_tokens.h"

#include <gtest/gtest.h>

namespace driveshaft::admin {
namespace {

using namespace std::chrono_literals;

const WrongTokens::Clock::time_point kStart = WrongTokens::Clock::time_point() + 1h;

auto address(const std::string& text) { return asio::ip::make_address(text); }

TEST(WrongTokens, AFewAreAnsweredAtOnceAndFurtherOnesWaitLongerAndLonger) {
  WrongTokens wrong;
  for (const auto wait : {0ms, 0ms, 0ms, 50ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    EXPECT_EQ(wrong.add(address("10.0.0.1"), kStart), wait);
  }
  for (int i = 0; i < 1000; ++i) wrong.add(address("10.0.0.1"), kStart);
  EXPECT_EQ(wrong.add(address("10.0.0.1"), kStart), 1000ms);
  EXPECT_EQ(wrong.add(address("10.0.0.2"), kStart), 0ms) << "another client is not slowed";
}

TEST(WrongTokens, AreForgottenAfterAWhile) {
  WrongTokens wrong;
  for (int i = 0; i < 8; ++i) wrong.add(address("10.0.0.1"), kStart);
  EXPECT_GT(wrong.add(address("10.0.0.1"), kStart + 10min), 0ms);
  EXPECT_EQ(wrong.add(address("10.0.0.1"), kStart + 20min + 1s), 0ms);
}

TEST(WrongTokens, ANetworkOfIpv6IsOneClient) {
  WrongTokens wrong;
  for (const char* one : {"2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:0:1", "2001:db8::4"}) {
    wrong.add(address(one), kStart);
  }
  EXPECT_GT(wrong.add(address("2001:db8::5"), kStart), 0ms);
  EXPECT_EQ(wrong.add(address("2001:db8:0:1::5"), kStart), 0ms);
  for (int i = 0; i < 4; ++i) wrong.add(address("::ffff:10.0.0.1"), kStart);
  EXPECT_GT(wrong.add(address("10.0.0.1"), kStart), 0ms);
  EXPECT_EQ(wrong.add(address("::ffff:10.0.0.2"), kStart), 0ms);
}

TEST(WrongTokens, TheClientThatWasQuietForLongestIsForgotten) {
  WrongTokens wrong;
  for (int i = 0; i < 8; ++i) wrong.add(address("10.9.9.9"), kStart);
  for (unsigned i = 0; i < 3000; ++i) {
    wrong.add(asio::ip::address_v4(0x0a000000U + i), kStart + 1s + i * 1ms);
    if (i % 100 == 0) wrong.add(address("10.9.9.9"), kStart + 1s + i * 1ms);
  }
  EXPECT_EQ(wrong.addresses(), WrongTokens::kMostAddresses);
  EXPECT_GT(wrong.add(address("10.9.9.9"), kStart + 5s), 0ms) << "who goes on is not forgotten";
}

TEST(WrongTokens, TheLogIsToldOnceAMinuteAtMost) {
  WrongTokens wrong;
  EXPECT_FALSE(wrong.to_note(kStart));
  wrong.add(address("10.0.0.1"), kStart);
  EXPECT_EQ(wrong.to_note(kStart), 1U);
  for (int i = 0; i < 5; ++i) wrong.add(address("10.0.0.1"), kStart + 1s);
  EXPECT_FALSE(wrong.to_note(kStart + 59s));
  EXPECT_EQ(wrong.to_note(kStart + 60s), 5U);
  EXPECT_FALSE(wrong.to_note(kStart + 200s));
}

}  // namespace
}  // namespace driveshaft::admin
