// SPDX-License-Identifier: MIT
#include "config/nearest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace driveshaft::config {
namespace {

constexpr std::array<std::string_view, 4> kKeys = {"worker_count", "jobs_list", "connections",
                                                   "connect_timeout"};

TEST(Nearest, FindsWhatWasMeant) {
  EXPECT_EQ(nearest("worker_cuont", kKeys), "worker_count");   // swapped
  EXPECT_EQ(nearest("worker_coun", kKeys), "worker_count");    // left out
  EXPECT_EQ(nearest("wworker_count", kKeys), "worker_count");  // inserted
  EXPECT_EQ(nearest("Worker-Count", kKeys), "worker_count");   // changed
  EXPECT_EQ(nearest("workerCount", kKeys), "worker_count");
  EXPECT_EQ(nearest("job_list", kKeys), "jobs_list");
  EXPECT_EQ(nearest("connection", kKeys), "connections");
}

TEST(Nearest, FindsTheSingular) {
  constexpr std::array<std::string_view, 2> kWords = {"retry", "series"};
  EXPECT_EQ(nearest("retries", kWords), "retry");
  EXPECT_EQ(nearest("series", kWords), "series");
  EXPECT_EQ(nearest("ies", kWords), "");
}

TEST(Nearest, SuggestsNothingIfNoCandidateIsNear) {
  EXPECT_EQ(nearest("", kKeys), "");
  EXPECT_EQ(nearest("comment", kKeys), "");
  EXPECT_EQ(nearest("jobs", kKeys), "");
  EXPECT_EQ(nearest("worker", kKeys), "");
  EXPECT_EQ(nearest(std::string(1'000'000, 'w'), kKeys), "");
  EXPECT_EQ(nearest("worker_count", {}), "");
}

TEST(Nearest, AThirdOfTheLettersMayDiffer) {
  constexpr std::array<std::string_view, 1> kWord = {"abcdef"};
  EXPECT_EQ(nearest("abcdXY", kWord), "abcdef");
  EXPECT_EQ(nearest("abcXYZ", kWord), "");
}

TEST(Nearest, TheNearerOfTwoWins) {
  constexpr std::array<std::string_view, 2> kWords = {"pool_lists", "pools_list"};
  EXPECT_EQ(nearest("pools_lis", kWords), "pools_list");
}

TEST(Nearest, ANameThatDiffersInCaseAloneWins) {
  constexpr std::array<std::string_view, 3> kWords = {"Nsleep", "Sleep", "SLOW"};
  EXPECT_EQ(nearest("sleep", kWords), "Sleep");
  EXPECT_EQ(nearest("slow", kWords), "SLOW");
}

TEST(Nearest, TheEndOfAMessage) {
  const std::string_view names[] = {"Web", "Mail"};
  EXPECT_EQ(did_you_mean("Wbe", names), "; did you mean \"Web\"?");
  EXPECT_EQ(did_you_mean("Newsfeed", names), "");
}

}  // namespace
}  // namespace driveshaft::config
