// SPDX-License-Identifier: MIT
#include "dispatch/dead_letter.h"

#include <fmt/format.h>
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

TEST(DeadLetter, IsReadAsItWasWritten) {
  for (const std::string_view workload :
       {std::string_view("[1,2]"), std::string_view("\xff\0x", 3), std::string_view()}) {
    const DeadLetter written = letter(workload);
    const auto read = read_dead_letter(encode(written));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->function, written.job.function);
    EXPECT_EQ(read->handle, written.job.handle);
    EXPECT_EQ(read->unique, written.job.unique);
    EXPECT_EQ(read->workload, workload);
    EXPECT_EQ(read->error, written.error);
    EXPECT_EQ(read->attempts, written.attempts);
    EXPECT_EQ(read->first, written.first);
    EXPECT_EQ(read->last, written.last);
    EXPECT_EQ(read->pool, written.pool);
    EXPECT_EQ(read->host, written.host);
  }
}

TEST(DeadLetter, NeedNotSayWhyTheJobFailed) {
  const auto read = read_dead_letter(
      R"({"function_name":"f","job_handle":"","unique":"","workload":"","attempts":"x","last_time":"today"})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->attempts, 0);
  EXPECT_EQ(read->last, std::nullopt);
  EXPECT_EQ(read->error, "");
}

TEST(DeadLetter, ATextThatIsNoLetterSaysWhy) {
  const auto refused = [](std::string_view text) {
    const auto read = read_dead_letter(text);
    return read ? "" : read.error().message;
  };
  const auto job = [&](std::string_view function, std::string_view unique, std::string_view rest) {
    return refused(
        fmt::format(R"({{"function_name":"{}","job_handle":"","unique":"{}",{}}})", function, unique, rest));
  };
  using testing::HasSubstr;
  EXPECT_THAT(refused("not JSON"), HasSubstr("it is not JSON"));
  EXPECT_THAT(refused(""), HasSubstr("it is not JSON"));
  EXPECT_THAT(refused(std::string(1000, '[')), HasSubstr("it is not JSON"));
  EXPECT_EQ(refused("[1]"), "it is not a JSON object");
  EXPECT_EQ(refused("{}"), "it has no text \"function_name\"");
  EXPECT_EQ(job("f", "", R"("workload":1)"), "it has no text \"workload\"");
  EXPECT_EQ(job("", "", R"("workload":"")"), "its function_name is empty");
  EXPECT_EQ(job(R"(a\u0000b)", "", R"("workload":"")"), "its function_name has a zero byte");
  EXPECT_EQ(job("f", R"(\u0000)", R"("workload":"")"), "its unique has a zero byte");
  EXPECT_EQ(job("f", std::string(64, 'u'), R"("workload":"")"), "");
  EXPECT_EQ(job("f", std::string(65, 'u'), R"("workload":"")"), "its unique has more than 64 bytes");
  EXPECT_EQ(job("f", "", R"("workload":"x y","workload_encoding":"base64")"),
            "its workload is not the base64 that it claims to be");
  EXPECT_EQ(job("f", "", R"("workload":"","workload_encoding":"rot13")"),
            "its workload_encoding is not base64");
}

TEST(DeadLetter, UniquesDifferAndFit) {
  const auto one = new_unique();
  EXPECT_NE(one, new_unique());
  EXPECT_LE(one.size(), 64U);
  EXPECT_NE(new_unique_of_rerun(), new_unique_of_rerun());
}

}  // namespace
}  // namespace driveshaft::dispatch
