// SPDX-License-Identifier: MIT
#include "config/connection_count.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_dir.h"
#include "config/load.h"
#include "config/parse.h"

namespace driveshaft::config {
namespace {

using ::testing::ElementsAre;

std::string jobs_file(const std::string& settings, const std::string& of_two = "",
                      const std::string& more = "") {
  return R"({"gearman_servers_list": ["a", "b", "c"], "pools_list": {"P": {
    "job_processing_uri": "http://h/", "worker_count": 1,
    "jobs_list": ["one", {"function": "two")" +
         of_two + R"(}, "three"])" + settings + "}" + more + "}}";
}

std::size_t count(const std::string& settings, const std::string& of_two = "") {
  const auto parsed = parse(jobs_file(settings, of_two));
  return connection_count(parsed.value().config.pools.at(0), parsed->config.servers.size());
}

TEST(ConnectionCount, IsThatOfServersTimesConnectionsTimesGroupsOfFunctions) {
  EXPECT_EQ(count(""), 3u);
  EXPECT_EQ(count(R"(, "gearmand_connections": 4)"), 12u);
  EXPECT_EQ(count(R"(, "fairness": "function")"), 9u);
  EXPECT_EQ(count("", R"(, "max_concurrency": 1)"), 6u) << "the other two share theirs";
  EXPECT_EQ(count(R"(, "gearmand_connections": 2)", R"(, "job_processing_uri": "http://i/")"), 12u);
}

TEST(ConnectionCount, TooManyRejectTheJobsFile) {
  std::string functions;
  for (int i = 0; i < 60; ++i) functions += (i > 0 ? ", \"f" : "\"f") + std::to_string(i) + '"';
  const std::string big =
      R"(, "Big": {"job_processing_uri": "http://h/", "worker_count": 1, "gearmand_connections": 64,
    "fairness": "function", "jobs_list": [)" +
      functions + "]}";
  const base::TestDir dir;
  const auto loaded = load(dir.write("jobs.json", jobs_file("", "", big)));
  ASSERT_FALSE(loaded);
  EXPECT_THAT(
      loaded.error().errors,
      ElementsAre(
          "pools_list.Big: it would have 11520 of 11523 connections to gearmand, and 10000 are "
          "allowed: 64 to each of 3 servers for each of 60 groups of functions; lower gearmand_connections, "
          "or have fewer functions with max_concurrency, job_processing_uri or fairness"));
  EXPECT_TRUE(
      load(dir.write("jobs.json", jobs_file(R"(, "gearmand_connections": 64, "fairness": "function")"))));
}

}  // namespace
}  // namespace driveshaft::config
