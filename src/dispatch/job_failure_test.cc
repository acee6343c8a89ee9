// SPDX-License-Identifier: MIT
#include "dispatch/job_failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using Kind = http::Failure::Kind;

constexpr auto kNow = std::chrono::system_clock::time_point(1'000'000s);

AttemptEnd end_of(Kind kind) { return failure_of(http::Failure{kind, "why"}).end; }

JobFailure of_response(const http::Response& response, NotAnAnswer::Kind kind) {
  return failure_of(response, {kind, "why"}, config::PoolSettings{}, kNow);
}

TEST(JobFailure, EachFailureOfAnExchangeIsOneEndOfAnAttempt) {
  EXPECT_EQ(end_of(Kind::unreachable), AttemptEnd::unreachable);
  EXPECT_EQ(end_of(Kind::full), AttemptEnd::full);
  EXPECT_EQ(end_of(Kind::connection_lost), AttemptEnd::connection_lost);
  EXPECT_EQ(end_of(Kind::stale_connection), AttemptEnd::stale_connection);
  EXPECT_EQ(end_of(Kind::overloaded), AttemptEnd::server_error);
  EXPECT_EQ(end_of(Kind::malformed), AttemptEnd::invalid_response);
  EXPECT_EQ(end_of(Kind::too_large), AttemptEnd::invalid_response);
  EXPECT_EQ(failure_of(http::Failure{Kind::full, "why"}).message, "why");
}

TEST(JobFailure, AJobHasNotRunWhoseRequestDidNotArriveOrWasTurnedAway) {
  for (const auto kind : {Kind::unreachable, Kind::full, Kind::overloaded}) EXPECT_FALSE(may_have_run(kind));
  for (const auto kind : {Kind::connection_lost, Kind::stale_connection, Kind::malformed, Kind::too_large})
    EXPECT_TRUE(may_have_run(kind));
}

TEST(JobFailure, AResponseThatIsNoAnswerKeepsItsStatusAndBody) {
  const auto failure =
      of_response({.status = 404, .body = "gone", .retry_after = ""}, NotAnAnswer::Kind::http_status);
  EXPECT_EQ(failure.end, AttemptEnd::other_status);
  EXPECT_EQ(failure.message, "why");
  EXPECT_EQ(failure.status, 404U);
  EXPECT_EQ(failure.answer, "gone");
  EXPECT_FALSE(failure.gearman_ret);
  const http::Response empty{.status = 200, .body = "", .retry_after = ""};
  EXPECT_EQ(of_response(empty, NotAnAnswer::Kind::empty).end, AttemptEnd::empty_answer);
  EXPECT_EQ(of_response(empty, NotAnAnswer::Kind::invalid).end, AttemptEnd::invalid_response);
}

TEST(JobFailure, OnlyStatuses429And503MayAskToWait) {
  const auto asked = [](unsigned status, std::string_view retry_after) {
    return of_response({.status = status, .body = "", .retry_after = retry_after},
                       NotAnAnswer::Kind::http_status)
        .asked;
  };
  EXPECT_EQ(asked(429, "7"), 7s);
  EXPECT_EQ(asked(503, "7"), 7s);
  EXPECT_EQ(asked(500, "7"), std::nullopt);
  EXPECT_EQ(asked(503, ""), std::nullopt);
  EXPECT_EQ(asked(503, "soon"), std::nullopt);
}

TEST(JobFailure, ARefusalShowsItsTextUpToTheLimit) {
  const auto failure = failure_of(Answer{3, "no such\nuser"}, 7);
  EXPECT_EQ(failure.end, AttemptEnd::refused);
  EXPECT_EQ(failure.gearman_ret, 3U);
  EXPECT_EQ(failure.answer, "no such\nuser");
  EXPECT_THAT(failure.message, testing::StartsWith("the endpoint answered gearman_ret 3: \"no such"));
  EXPECT_THAT(failure.message, testing::Not(testing::HasSubstr("user")));
}

TEST(JobFailure, AJobThatIsHeldAfterItsRequestWasSentHasAReasonInTheMetrics) {
  EXPECT_STREQ(held_for({.end = AttemptEnd::server_error, .message = {}, .asked = 1s}), "retry_after");
  EXPECT_STREQ(held_for({.end = AttemptEnd::absent, .message = {}}), "hold_on");
  EXPECT_STREQ(held_for({.end = AttemptEnd::empty_answer, .message = {}}), "empty_answer");
  EXPECT_STREQ(held_for({.end = AttemptEnd::stale_connection, .message = {}}), "closed_connection");
  EXPECT_EQ(held_for({.end = AttemptEnd::unreachable, .message = {}}), nullptr);
}

TEST(JobFailure, AFailureWithoutATextIsWorkFailAlone) {
  using config::FailureText;
  using gearman::JobResult;
  for (const auto setting : {FailureText::exception, FailureText::warning, FailureText::drop})
    EXPECT_EQ(failure_result(setting, ""), JobResult::fail);
  EXPECT_EQ(failure_result(FailureText::exception, "why"), JobResult::exception);
  EXPECT_EQ(failure_result(FailureText::warning, "why"), JobResult::warning_and_fail);
  EXPECT_EQ(failure_result(FailureText::drop, "why"), JobResult::fail);
}

}  // namespace
}  // namespace driveshaft::dispatch
