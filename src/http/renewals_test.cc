// SPDX-License-Identifier: MIT
#include "http/renewals.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace driveshaft::http {
namespace {

using namespace std::chrono_literals;

// Connections that are never looked into.
struct RenewalsTest : testing::Test {
  Connection& connection(std::size_t number) { return *reinterpret_cast<Connection*>(&places[number]); }

  std::array<char, 16> places{};
  Renewals renewals;
};

TEST(RenewalsAge, IsBetween80And120PercentOfTheMost) {
  constexpr double kAlmostOne = 1 - std::numeric_limits<double>::epsilon();
  EXPECT_FALSE(Renewals::is_over(80s, 100s, 0));
  EXPECT_TRUE(Renewals::is_over(80s + 1ns, 100s, 0));
  EXPECT_FALSE(Renewals::is_over(99'999ms, 100s, 0.5));
  EXPECT_TRUE(Renewals::is_over(100'001ms, 100s, 0.5));
  EXPECT_FALSE(Renewals::is_over(119'999ms, 100s, kAlmostOne));
  EXPECT_TRUE(Renewals::is_over(120'001ms, 100s, kAlmostOne));
}

TEST(RenewalsAge, ZeroAndTheLongestTimeMeanNoLimit) {
  EXPECT_FALSE(Renewals::is_over(std::chrono::nanoseconds::max(), 0ms, 0));
  EXPECT_FALSE(Renewals::is_over(std::chrono::nanoseconds::max(), std::chrono::milliseconds::max(), 0));
}

TEST_F(RenewalsTest, ANewConnectionThatIsOpenReplacesTheOldOne) {
  ASSERT_TRUE(renewals.may_begin(connection(0)));
  renewals.begin(connection(0), connection(1));
  EXPECT_FALSE(renewals.may_begin(connection(0))) << "one is enough";
  EXPECT_EQ(renewals.opened(connection(2)), nullptr) << "it replaces nothing";
  EXPECT_EQ(renewals.opened(connection(1)), &connection(0));
  EXPECT_EQ(renewals.opened(connection(1)), nullptr) << "this is over";
  EXPECT_TRUE(renewals.may_begin(connection(1)));
}

TEST_F(RenewalsTest, AfterANewConnectionThatDidNotOpenNoneIsTriedForAWhile) {
  renewals.begin(connection(0), connection(1));
  renewals.forget(connection(1));
  EXPECT_EQ(renewals.opened(connection(1)), nullptr);
  EXPECT_FALSE(renewals.may_begin(connection(0)));
  EXPECT_FALSE(renewals.may_begin(connection(2)));
  renewals.try_again();
  EXPECT_TRUE(renewals.may_begin(connection(0)));
}

TEST_F(RenewalsTest, TheEndOfAnotherConnectionDelaysNoReplacement) {
  renewals.forget(connection(0));
  EXPECT_TRUE(renewals.may_begin(connection(1)));
}

TEST_F(RenewalsTest, AtMostFourAreInProgress) {
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(renewals.may_begin(connection(i)));
    renewals.begin(connection(i), connection(8 + i));
  }
  EXPECT_FALSE(renewals.may_begin(connection(4)));
  EXPECT_EQ(renewals.opened(connection(9)), &connection(1));
  ASSERT_TRUE(renewals.may_begin(connection(4)));
  renewals.begin(connection(4), connection(12));
  EXPECT_EQ(renewals.opened(connection(12)), &connection(4));
}

TEST_F(RenewalsTest, AnOldConnectionThatIsClosedIsNotReplaced) {
  renewals.begin(connection(0), connection(1));
  renewals.forget(connection(0));
  EXPECT_EQ(renewals.opened(connection(1)), nullptr);
}

TEST_F(RenewalsTest, ANewConnectionIsGivenUpAndTheOldOneStays) {
  EXPECT_EQ(renewals.give_up_one(), nullptr);
  renewals.begin(connection(0), connection(1));
  EXPECT_EQ(renewals.give_up_one(), &connection(1));
  EXPECT_EQ(renewals.give_up_one(), nullptr);
  renewals.forget(connection(1));
  EXPECT_EQ(renewals.opened(connection(1)), nullptr);
  EXPECT_TRUE(renewals.may_begin(connection(0)));
}

}  // namespace
}  // namespace driveshaft::http
