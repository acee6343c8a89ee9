// SPDX-License-Identifier: MIT
#include "dispatch/answer_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::StartsWith;

class Decode : public testing::Test {
 protected:
  AnswerDecoder decoder;
  std::string error(std::string_view body, unsigned status = 200) {
    const auto answer = decoder.decode(status, body);
    EXPECT_FALSE(answer) << body;
    return answer ? "" : answer.error().message;
  }
};

TEST_F(Decode, Success) {
  for (const unsigned status : {200U, 201U, 299U}) {
    const auto answer = decoder.decode(status, R"({"gearman_ret": 0, "response_string": "3", "more": [{}]})");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->gearman_ret, 0U);
    EXPECT_EQ(answer->response_string, "3");
  }
}

TEST_F(Decode, FailureWithItsText) {
  const auto answer = decoder.decode(200, R"({"response_string":"out of stock","gearman_ret":4294967295})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->gearman_ret, 4294967295U);
  EXPECT_EQ(answer->response_string, "out of stock");
}

TEST_F(Decode, AFailureMayHaveNoText) {
  const auto answer = decoder.decode(200, R"({"gearman_ret":1})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->gearman_ret, 1U);
  EXPECT_EQ(answer->response_string, "");
}

TEST_F(Decode, ResponsesOfAnyBytesAndSize) {
  auto answer = decoder.decode(200, R"({"gearman_ret":0,"response_string":"a\u0000b\u00fc)"
                                    "\xff"
                                    R"("})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response_string, "a\0bü\xff"s);
  const std::string big(3'000'000, 'r');
  answer = decoder.decode(200, R"({"gearman_ret":0.0,"response_string":")" + big + "\"}");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response_string, big);
  answer = decoder.decode(200, R"({"gearman_ret":0,"response_string":""})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response_string, "");
}

TEST_F(Decode, OnlyFieldsOfTheObjectItselfCountAndTheLaterOfTwo) {
  const auto answer = decoder.decode(
      200,
      R"({"response_string":["no"],"gearman_ret":1,"a":{"gearman_ret":2,"response_string":"in"},"b":[3,"x"],)"
      R"("gearman_ret_":4,"response_string_and_more":"no","response_strin":"no","":5,)"
      R"("response\u005fstring":"yes","gearman_ret":0,"c":"no"})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->gearman_ret, 0U);
  EXPECT_EQ(answer->response_string, "yes");
  EXPECT_THAT(error(R"([{"gearman_ret":0,"response_string":"x"}])"), StartsWith("JSON, but not an object"));
  EXPECT_THAT(error(R"({"gearman_ret":0,"response_string":"x","response_string":null})"),
              StartsWith("response_string is not a string"));
}

TEST_F(Decode, CompressionThatNobodyAskedForIsNamed) {
  EXPECT_THAT(error("\x1f\x8b\x08rest"), StartsWith("compressed with gzip, which was not asked for"));
}

TEST_F(Decode, ManyLongAnswers) {
  const std::string text(10'000, 'r');
  for (int count = 0; count < 200; ++count) {
    const auto answer = decoder.decode(200, R"({"gearman_ret":0,"response_string":")" + text + "\"}");
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->response_string, text);
  }
}

TEST_F(Decode, AnyOtherStatusIsAFailureThatShowsTheBody) {
  EXPECT_EQ(error("<h1>Oops</h1>", 500), "the endpoint answered HTTP status 500: \"<h1>Oops</h1>\"");
  EXPECT_EQ(error("<html><head><title>502 Bad Gateway</title></head>", 502),
            "the endpoint answered HTTP status 502: an HTML page, \"502 Bad Gateway\"");
  EXPECT_THAT(error(R"({"gearman_ret":0,"response_string":"x"})", 302), HasSubstr("HTTP status 302"));
  EXPECT_EQ(decoder.decode(404, "").error().kind, NotAnAnswer::Kind::http_status);
}

TEST_F(Decode, AnEmptyAnswerIsAKindOfItsOwn) {
  const auto empty = decoder.decode(200, "").error();
  EXPECT_EQ(empty.kind, NotAnAnswer::Kind::empty);
  EXPECT_THAT(empty.message, StartsWith("the answer is empty; the endpoint must answer {\"gearman_ret\""));
  EXPECT_EQ(decoder.decode(200, " ").error().kind, NotAnAnswer::Kind::invalid);
}

TEST_F(Decode, AnAnswerOutsideTheContractSaysWhatIsWrong) {
  EXPECT_THAT(error(" "), StartsWith("not JSON (incomplete JSON"));
  EXPECT_THAT(error("", 204), StartsWith("not JSON (incomplete JSON"));
  EXPECT_THAT(error("PHP Fatal error: …"),
              AllOf(StartsWith("not JSON (syntax error"), HasSubstr("answered \"Fatal error: …\"")));
  EXPECT_THAT(error(R"({"gearman_ret":0,"response_string":"x"}<br>)"), StartsWith("not JSON (extra data"));
  EXPECT_THAT(error("[0]"), StartsWith("JSON, but not an object"));
  EXPECT_THAT(error(R"({"response_string":"x"})"), StartsWith("gearman_ret is missing"));
  EXPECT_THAT(error(R"({"gearman_ret":0})"), StartsWith("response_string is missing"));
  for (const auto* ret :
       {"-1", "\"0\"", "0.5", "4294967296", "null", "true", "1e99", "18446744073709551615"}) {
    EXPECT_THAT(error(R"({"gearman_ret":)" + std::string(ret) + R"(,"response_string":"x"})"),
                StartsWith("gearman_ret is not a whole number"));
  }
  for (const auto* response : {"3", "null", "[\"x\"]", "{}"}) {
    EXPECT_THAT(error(R"({"gearman_ret":0,"response_string":)" + std::string(response) + "}"),
                StartsWith("response_string is not a string"));
  }
  EXPECT_THAT(error(std::string(5000, '[')), StartsWith("not JSON (too deep"));
  EXPECT_THAT(error(std::string(1000, 'x')), HasSubstr("… (1000 bytes)"));
}

}  // namespace
}  // namespace driveshaft::dispatch
