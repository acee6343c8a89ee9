// SPDX-License-Identifier: MIT
#include "cli/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace driveshaft::cli {
namespace {

using testing::HasSubstr;
using Grade = Remark::Grade;

constexpr std::string_view kGood = R"({"gearman_ret": 0, "response_string": "3"})";

Outcome answered(unsigned status, std::string_view body, bool retry_after = false) {
  return {Outcome::Response{status, std::string(body), true, retry_after}, false,
          std::chrono::microseconds(1500)};
}

Outcome failed(http::Failure::Kind kind, bool timed_out = false) {
  return {http::Failure{kind, "why"}, timed_out, {}};
}

Remark judged(const Outcome& outcome, bool is_signed = false, bool is_multipart = false) {
  dispatch::AnswerDecoder decoder;
  return judge(outcome, decoder, {std::chrono::milliseconds(2500), is_signed, is_multipart});
}

TEST(Judge, AGoodAnswerNeedsNoRemedy) {
  const auto remark = judged(answered(201, kGood));
  EXPECT_EQ(remark.grade, Grade::good);
  EXPECT_EQ(remark.what, "201, gearman_ret 0, \"3\", 1.5 ms");
  EXPECT_EQ(remark.remedy, "");
}

TEST(Judge, WhatAScriptWritesToStderrIsShown) {
  auto outcome = answered(404, "File not found.\n");
  outcome.stderr_lines = "Primary script \x1b unknown\nmore\n";
  EXPECT_THAT(judged(outcome).what, testing::EndsWith("\"; its stderr: \"Primary script \\x1b unknown\""));
}

TEST(Judge, AScriptThatPhpFpmDoesNotFind) {
  auto outcome = answered(404, "File not found.\n");
  outcome.stderr_lines = "Primary script unknown\nmore\n";
  EXPECT_THAT(judged(outcome).remedy, HasSubstr("the path as php-fpm sees it"));
}

TEST(Judge, AnAnswerThatIsNotFastcgi) {
  dispatch::AnswerDecoder decoder;
  const auto remark = judge(failed(http::Failure::Kind::malformed), decoder,
                            {std::chrono::milliseconds(2500), false, false, /*is_fastcgi=*/true});
  EXPECT_THAT(remark.remedy, HasSubstr("see that php-fpm listens there"));
  EXPECT_EQ(judged(failed(http::Failure::Kind::overloaded)).grade, Grade::finding);
}

TEST(Judge, AFailedJobConforms) {
  EXPECT_EQ(judged(answered(200, R"({"gearman_ret": 1})")).grade, Grade::note);
  EXPECT_THAT(judged(answered(200, R"({"gearman_ret": 1, "response_string": "no"})")).what,
              HasSubstr("\"no\""));
}

TEST(Judge, AStreamedAnswer) {
  auto outcome = answered(200, "{\"status\":[1,2]}\n{\"data\":\"x\"}\n" + std::string(kGood));
  outcome.response->streamed = true;
  EXPECT_EQ(judged(outcome).what, "200, 2 updates of progress, gearman_ret 0, \"3\", 1.5 ms");
  outcome.response->body = "{\"data\":\"x\"}\n";
  EXPECT_EQ(judged(outcome).grade, Grade::finding);
  EXPECT_THAT(judged(outcome).what, HasSubstr("ended without a line"));
  EXPECT_THAT(judged(outcome).remedy, HasSubstr("gearman_ret as the last"));
}

TEST(Judge, EachWrongBodyHasItsRemedy) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "the body is empty"},
      {"\x1f\x8b\x08", "Content-Encoding"},
      {"\xEF\xBB\xBF" + std::string(kGood), "byte order mark"},
      {"<html><body>It works!", "a page, not an answer"},
      {"<br />\n<b>Warning</b>: x" + std::string(kGood), "display_errors=0"},
      {std::string(kGood) + "debug", "display_errors=0"},
      {"OK", "write the object, and nothing else"},
      {"[0, \"3\"]", "write an object around it"},
      {R"({"response_string": "3"})", "write gearman_ret, 0"},
      {R"({"gearman_ret": "0", "response_string": "3"})", "without quotes"},
      {R"({"gearman_ret": -1, "response_string": "3"})", "without quotes"},
      {R"({"gearman_ret": 0})", "write response_string"},
      {R"({"gearman_ret": 0, "response_string": 3})", "make response_string text"},
      {R"({"gearman_ret": 0, "response_string": null})", "make response_string text"},
  };
  for (const auto& [body, remedy] : cases) {
    const auto remark = judged(answered(200, body));
    EXPECT_EQ(remark.grade, Grade::finding) << body;
    EXPECT_THAT(remark.remedy, HasSubstr(remedy)) << body;
  }
}

TEST(Judge, EachStatusHasItsRemedy) {
  const std::pair<unsigned, const char*> cases[] = {
      {301, "redirects are not followed"},
      {400, "gearman_ret other than 0"},
      {401, "--secret-file"},
      {403, "--secret-file"},
      {404, "path of the URI"},
      {405, "POST"},
      {413, "client_max_body_size"},
      {415, "--format"},
      {431, "large_client_header_buffers"},
      {500, "error log"},
      {502, "does not reach php-fpm"},
      {502, "the daemon holds such jobs"},
      {503, "the daemon holds such jobs"},
  };
  for (const auto& [status, remedy] : cases) {
    const auto remark = judged(answered(status, kGood));
    EXPECT_EQ(remark.grade, Grade::finding) << status;
    EXPECT_THAT(remark.remedy, HasSubstr(remedy)) << status;
  }
  EXPECT_THAT(judged(answered(401, "")).remedy, HasSubstr("--secret-file"));
  EXPECT_THAT(judged(answered(401, ""), true).remedy, HasSubstr("compare the secrets and the clocks"));
  EXPECT_THAT(judged(answered(401, ""), true, true).remedy, HasSubstr("PHP has no raw body"));
  EXPECT_THAT(judged(answered(503, "", true)).remedy, HasSubstr("asks to wait"));
  EXPECT_THAT(judged(answered(429, "", true)).remedy, HasSubstr("asks to wait"));
}

TEST(Judge, NoResponseAtAll) {
  using Kind = http::Failure::Kind;
  EXPECT_THAT(judged(failed(Kind::unreachable)).remedy, HasSubstr("start it"));
  EXPECT_THAT(judged(failed(Kind::connection_lost)).remedy, HasSubstr("Content-Length"));
  EXPECT_THAT(judged(failed(Kind::malformed)).remedy, HasSubstr("https://"));
  EXPECT_THAT(judged(failed(Kind::too_large)).remedy, HasSubstr("max_response_size"));
  const auto late = judged(failed(Kind::connection_lost, true));
  EXPECT_EQ(late.what, "no whole answer within 2.5 s");
  EXPECT_THAT(late.remedy, HasSubstr("--timeout"));
}

TEST(Judge, ABrokenConnectionToAPhpScriptMayBeToPhpFpm) {
  Circumstances circumstances{std::chrono::milliseconds(2500), false, false};
  circumstances.may_be_fastcgi = true;
  auto lost = failed(http::Failure::Kind::connection_lost);
  dispatch::AnswerDecoder decoder;
  EXPECT_THAT(judge(lost, decoder, circumstances).remedy, HasSubstr("write fcgi:// in the URI"));
  lost.has_begun = true;
  EXPECT_THAT(judge(lost, decoder, circumstances).remedy, HasSubstr("Content-Length"));
}

TEST(Judge, ASecondTryOverFastcgiIsReportedWithTheFirst) {
  auto late = failed(http::Failure::Kind::connection_lost, true);
  late.closed_before = true;
  dispatch::AnswerDecoder decoder;
  const auto remark =
      judge(late, decoder, {std::chrono::milliseconds(2500), false, false, /*is_fastcgi=*/true});
  EXPECT_EQ(remark.what,
            "the connection was closed before an answer; sent once more, no whole answer within 2.5 s");
  EXPECT_THAT(remark.remedy, HasSubstr("see php-fpm's log"));
  EXPECT_EQ(judged(late).what, "no whole answer within 2.5 s") << "a kept connection may be closed";
}

TEST(Judge, ForASocketThatTheUserMayNotOpenTheRemedyIsNotToStartPhpFpm) {
  const Outcome denied{http::Failure{http::Failure::Kind::unreachable, "why", /*denied=*/true}, false, {}};
  EXPECT_THAT(judged(denied).remedy,
              testing::AllOf(HasSubstr("as the daemon's user"), testing::Not(HasSubstr("start it"))));
}

TEST(Judge, AnEndedProcessOfPhpFpmWhoseConnectionStaysOpenHasARemedy) {
  dispatch::AnswerDecoder decoder;
  const auto remark = judge(failed(http::Failure::Kind::connection_lost, /*timed_out=*/true), decoder,
                            {std::chrono::milliseconds(2500), false, false, /*is_fastcgi=*/true});
  EXPECT_THAT(remark.remedy, HasSubstr("a program that it started holds the connection"));
}

TEST(Judge, AProcessOfPhpFpmThatEndsHasItsLogAsRemedy) {
  dispatch::AnswerDecoder decoder;
  const auto remark = judge(failed(http::Failure::Kind::connection_lost), decoder,
                            {std::chrono::milliseconds(2500), false, false, /*is_fastcgi=*/true});
  EXPECT_THAT(remark.remedy, HasSubstr("process_control_timeout"));
}

TEST(JudgeRefusal, OnlyAStatusThatSaysTheRequestIsWrongIsARefusal) {
  for (const unsigned status : {400, 401, 403, 422}) {
    EXPECT_EQ(judge_refusal(answered(status, "")).grade, Grade::good) << status;
  }
  for (const unsigned status : {200, 204, 302, 408, 429, 500, 503}) {
    const auto remark = judge_refusal(answered(status, ""));
    EXPECT_EQ(remark.grade, Grade::finding) << status;
    EXPECT_THAT(remark.remedy, HasSubstr("401")) << status;
  }
  EXPECT_EQ(judge_refusal(failed(http::Failure::Kind::connection_lost)).grade, Grade::finding);
  EXPECT_EQ(judge_refusal(failed(http::Failure::Kind::connection_lost, true)).grade, Grade::finding);
}

}  // namespace
}  // namespace driveshaft::cli
