// SPDX-License-Identifier: MIT
#include "config/advice.h"

#include <gmock/gmock.h>

#include "config/parse.h"

namespace driveshaft::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> notes(const std::string& top, const std::string& pools) {
  return parse(R"({"gearman_servers_list": ["a"],)" + top + R"("pools_list": {)" + pools + "}}")
      .value()
      .notes;
}

const std::string kGood =
    R"("A": {"worker_count": 1, "job_processing_uri": "http://a/", "jobs_list": ["f"]})";

TEST(Advice, WhereRequestFormatIsSetNowhereRequestsAreJson) {
  EXPECT_THAT(notes("", kGood), ElementsAre(HasSubstr("requests are JSON")));
  EXPECT_THAT(notes(R"("request_format": "json",)", kGood), IsEmpty());
  EXPECT_THAT(notes("", R"("A": {"worker_count": 1, "job_processing_uri": "http://a/", "jobs_list": ["f"],
                                 "request_format": "multipart"})"),
              IsEmpty());
}

constexpr const char* kFormat = R"("request_format": "json",)";

TEST(Advice, WithoutSlotsNoJobIsTaken) {
  EXPECT_THAT(
      notes(kFormat, R"("A": {"worker_count": 0, "job_processing_uri": "http://a/", "jobs_list": ["f"]})"),
      ElementsAre("no job is taken: worker_count is 0 in every pool"));
  EXPECT_THAT(
      notes(kFormat,
            kGood + R"(, "B": {"worker_count": 0, "job_processing_uri": "http://b/", "jobs_list": ["g"]})"),
      ElementsAre("B takes no jobs: its worker_count is 0"));
}

TEST(Advice, AFunctionOfTwoPoolsHasOneEndpoint) {
  EXPECT_THAT(
      notes(kFormat,
            kGood + R"(, "B": {"worker_count": 1, "job_processing_uri": "http://b/", "jobs_list": ["f"]})"),
      ElementsAre(
          "f is in jobs_list of A and of B, with different endpoints: its jobs go now to one, now to the "
          "other"));
  EXPECT_THAT(
      notes(kFormat,
            kGood + R"(, "B": {"worker_count": 1, "job_processing_uri": "http://a/", "jobs_list": ["f"]})"),
      IsEmpty());
}

TEST(Advice, APoolDoesNotServeItsDeadLetters) {
  EXPECT_THAT(notes(kFormat, R"("A": {"worker_count": 1, "job_processing_uri": "http://a/",
                                      "jobs_list": ["f", "dead"], "dead_letter_function": "dead"})"),
              ElementsAre(HasSubstr("A serves dead, its own dead_letter_function")));
}

}  // namespace
}  // namespace driveshaft::config
