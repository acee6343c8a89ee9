// SPDX-License-Identifier: MIT
#include "daemon/check_files.h"

#include <gtest/gtest.h>

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
using Grade = CheckRow::Grade;
using std::chrono::system_clock;

const auto kNow = system_clock::from_time_t(1'767'225'600);  // 2026-01-01

CheckRow row_of(std::chrono::hours left) { return certificate_row("c", {"/c.pem", kNow + left}, kNow); }

TEST(CheckFiles, ACertificateThatEndsSoonIsNamed) {
  const auto good = row_of(24h * 31);
  EXPECT_EQ(good.grade, Grade::good);
  EXPECT_EQ(good.text, "until 2026-02-01");
  EXPECT_EQ(good.value, "/c.pem");
  EXPECT_EQ(row_of(24h * 14 + 1h).grade, Grade::good);
  const auto soon = row_of(24h * 13 + 1h);
  EXPECT_EQ(soon.grade, Grade::warning);
  EXPECT_EQ(soon.text, "it ends in 13 days; renew it");
  const auto ended = row_of(-49h);
  EXPECT_EQ(ended.grade, Grade::warning);
  EXPECT_EQ(ended.text, "it has ended 2 days ago, so whoever verifies it refuses it; renew it");
}

}  // namespace
}  // namespace driveshaft::daemon
