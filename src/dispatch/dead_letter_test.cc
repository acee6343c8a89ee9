// SPDX-License-Identifier: MIT
#include "dispatch/dead_letter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;

DeadLetter letter(std::string_view workload) {
  const std::chrono::system_clock::time_point taken(784111777s);
  return {{"sum", "H:vm:7", "u1", workload}, "it broke: \"no\"", 3, taken, taken + 1234ms, "Regular", "web1"};
}

TEST(DeadLetter, CarriesTheJobAndWhatIsKnownOfItsFailure) {
  EXPECT_EQ(encode(letter("[1,2]")),
            R"({"function_name":"sum","job_handle":"H:vm:7","unique":"u1","workload":"[1,2]",)"
            R"("error":"it broke: \"no\"","attempts":3,"first_time":"1994-11-06T08:49:37.000Z",)"
            R"("last_time":"1994-11-06T08:49:38.234Z","pool":"Regular","host":"web1"})");
}

TEST(DeadLetter, KeepsAWorkloadOfAnyBytes) {
  EXPECT_THAT(encode(letter({"\xff\0", 2})),
              ::testing::HasSubstr(R"("workload":"/wA=","workload_encoding":"base64","error":)"));
  EXPECT_THAT(encode(letter("a\nb")), ::testing::HasSubstr(R"("workload":"a\nb","error":)"));
  EXPECT_THAT(encode(letter("")), ::testing::HasSubstr(R"("workload":"","error":)"));
}

TEST(DeadLetter, UniquesDifferAndFit) {
  const auto one = new_unique();
  EXPECT_NE(one, new_unique());
  EXPECT_LE(one.size(), 64U);
}

}  // namespace
}  // namespace driveshaft::dispatch
