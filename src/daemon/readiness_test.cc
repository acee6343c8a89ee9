// SPDX-License-Identifier: MIT
#include "daemon/readiness.h"

#include <gtest/gtest.h>

namespace driveshaft::daemon {
namespace {

using dispatch::Wanted;

void expect(const admin::Health& health, bool ok, const char* detail) {
  EXPECT_EQ(health.ok, ok);
  EXPECT_EQ(health.detail, detail);
}

TEST(Readiness, NeedsAGearmandWhereJobsAreToBeTaken) {
  expect(readiness(false, Wanted::jobs, 0), false, "connected to no gearmand");
  expect(readiness(false, Wanted::jobs, 1), true, "1 connection to gearmand");
  expect(readiness(false, Wanted::jobs, 2), true, "2 connections to gearmand");
}

TEST(Readiness, NeedsNoGearmandWhereNoJobsAreToBeTaken) {
  constexpr const char* kPaused = "all pools are paused: no more jobs are taken, running ones finish";
  expect(readiness(false, Wanted::all_paused, 0), true, kPaused);
  expect(readiness(false, Wanted::all_paused, 1), true, kPaused);
  expect(readiness(false, Wanted::no_slots, 0), true,
         "no pool takes jobs yet: worker_count is 0 in every pool");
}

TEST(Readiness, ADrainIsNotReady) {
  for (const auto wanted : {Wanted::jobs, Wanted::all_paused, Wanted::no_slots}) {
    expect(readiness(true, wanted, 3), false, "draining: no more jobs are taken, running ones finish");
  }
}

}  // namespace
}  // namespace driveshaft::daemon
