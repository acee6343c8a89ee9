// SPDX-License-Identifier: MIT
#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_dir.h"

namespace driveshaft::config {
namespace {

using testing::ElementsAre;

std::vector<std::string> errors(const std::string& path) {
  const auto loaded = load(path);
  return loaded ? std::vector<std::string>{} : loaded.error().errors;
}

TEST(Load, TheShippedExample) {
  const auto loaded = load(SOURCE_DIR "/examples/jobs.json");
  ASSERT_TRUE(loaded) << loaded.error().errors.front();
  EXPECT_THAT(loaded->warnings, testing::IsEmpty());
  EXPECT_THAT(loaded->config.servers, ElementsAre(ServerConfig{{"localhost", 4730}}));
  ASSERT_EQ(loaded->config.pools.size(), 1u);
  EXPECT_EQ(loaded->config.pools[0].name, "Regular");
  EXPECT_EQ(loaded->config.pools[0].settings, PoolSettings{});
  EXPECT_THAT(loaded->config.pools[0].jobs_list, ElementsAre("Sum", "Reverse", "Divide"));
}

TEST(Load, FilesThatCannotBeRead) {
  const base::TestDir dir;
  const std::string missing = dir / "jobs.json";
  EXPECT_THAT(errors(missing),
              ElementsAre("cannot read the jobs file " + missing + ": No such file or directory"));
  EXPECT_THAT(errors("/"), ElementsAre("cannot read the jobs file /: Is a directory"));
}

TEST(Load, ErrorsOfTheTextAreThoseOfParse) {
  const base::TestDir dir;
  EXPECT_THAT(errors(dir.write("jobs.json", "{\n")),
              ElementsAre("not valid JSON: incomplete JSON, found the end of the file (line 2, "
                          "column 1)"));
}

TEST(Load, SizeIsBounded) {
  const base::TestDir dir;
  const std::string json = R"({"gearman_servers_list": ["h"], "pools_list": {}})";
  const std::string fits = json + std::string(kMaxJobsFileSize - json.size(), ' ');
  EXPECT_TRUE(load(dir.write("fits.json", fits)));
  const std::string path = dir.write("jobs.json", fits + ' ');
  EXPECT_THAT(errors(path),
              ElementsAre("cannot read the jobs file " + path + ": it has more than 16777216 bytes"));
}

}  // namespace
}  // namespace driveshaft::config
