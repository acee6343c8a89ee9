// SPDX-License-Identifier: MIT
#include "text/counted.h"

#include <gtest/gtest.h>

namespace driveshaft::text {
namespace {

TEST(Counted, OneIsSingular) {
  EXPECT_EQ(counted(0, "error"), "0 errors");
  EXPECT_EQ(counted(1, "error"), "1 error");
  EXPECT_EQ(counted(2, "error"), "2 errors");
}

TEST(Counted, TheVerbAgrees) {
  EXPECT_EQ(counted(1, "job", "runs", "run"), "1 job runs");
  EXPECT_EQ(counted(0, "job", "runs", "run"), "0 jobs run");
  EXPECT_EQ(counted(12, "other connection", "is", "are"), "12 other connections are");
}

TEST(Counted, WhatFollowsTheFirst) {
  EXPECT_EQ(and_more(0, "more error"), "");
  EXPECT_EQ(and_more(1, "more error"), " (and 1 more error)");
  EXPECT_EQ(and_more(2, "more error"), " (and 2 more errors)");
}

}  // namespace
}  // namespace driveshaft::text
