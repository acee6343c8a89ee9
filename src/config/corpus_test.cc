// SPDX-License-Identifier: MIT
// The fuzzer's corpus of jobs files as a unit test: what it once found stays fixed.
#include <gtest/gtest.h>

#include <filesystem>

#include "config/load.h"

namespace driveshaft::config {
namespace {

TEST(JobsFileCorpus, GoodFilesParseAndBadOnesDoNot) {
  int good = 0;
  int bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SOURCE_DIR "/tests/fuzz/corpus/jobs_file")) {
    const std::string name = entry.path().filename();
    const auto loaded = load(entry.path());
    if (name.starts_with("good_")) {
      ++good;
      EXPECT_TRUE(loaded) << name << ": " << loaded.error().errors.front();
    } else if (name.starts_with("bad_")) {
      ++bad;
      EXPECT_FALSE(loaded) << name;
    } else {
      ADD_FAILURE() << name << ": name it good_* or bad_*";
    }
  }
  EXPECT_GT(good, 0);
  EXPECT_GT(bad, 0);
}

}  // namespace
}  // namespace driveshaft::config
