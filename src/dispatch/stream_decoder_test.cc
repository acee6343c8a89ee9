// SPDX-License-Identifier: MIT
#include "dispatch/stream_decoder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace driveshaft::dispatch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Seen final : StreamDecoder::Sink {
  void status(std::uint32_t numerator, std::uint32_t denominator) override {
    said.push_back(fmt::format("{}/{}", numerator, denominator));
  }
  void data(std::string_view bytes) override { said.push_back("d:" + std::string(bytes)); }
  void warning(std::string_view text) override { said.push_back("w:" + std::string(text)); }
  std::vector<std::string> said;
};

// Feeds the answer in pieces of so many bytes; 0: all at once.
class Stream : public testing::TestWithParam<std::size_t> {
 protected:
  std::string answer_or_error(std::string_view text) {
    StreamDecoder decoder(kMaxLine);
    const std::size_t step = GetParam() == 0 ? text.size() : GetParam();
    for (std::size_t at = 0; at < text.size(); at += step) {
      if (auto fed = decoder.feed(text.substr(at, step), seen); !fed) return fed.error().message;
    }
    const auto answer = decoder.finish(answers, seen);
    return answer ? fmt::format("{} {}", answer->gearman_ret, answer->response_string)
                  : answer.error().message;
  }

  static constexpr std::size_t kMaxLine = 2 * 1024 * 1024;
  AnswerDecoder answers;
  Seen seen;
};

INSTANTIATE_TEST_SUITE_P(Steps, Stream, testing::Values(0, 1, 7));

TEST_P(Stream, ProgressAndThenTheAnswer) {
  EXPECT_EQ(answer_or_error("{\"status\":[3,10]}\n"
                            "{\"data\":\"caf\\u00e9\"}\r\n"
                            "\n"
                            "{\"data_base64\":\"AP8=\"}\n"
                            "{\"warning\":\"slow\",\"data\":\"\",\"status\":[4294967295,0],\"other\":[1]}\n"
                            "{\"gearman_ret\":0,\"response_string\":\"done\"}\n \n"),
            "0 done");
  EXPECT_THAT(seen.said,
              ElementsAre("3/10", "d:café", std::string("d:\0\xff", 4), "4294967295/0", "d:", "w:slow"));
}

TEST_P(Stream, WholeNumbersMayBeWrittenAsFractions) {
  EXPECT_EQ(answer_or_error("{\"status\":[1.0,1e1]}\n{\"gearman_ret\":0.0,\"response_string\":\"\"}"), "0 ");
  EXPECT_THAT(seen.said, ElementsAre("1/10"));
}

TEST_P(Stream, TheLastLineNeedsNoEnd) {
  EXPECT_EQ(answer_or_error("{\"data\":\"x\"}\n{\"gearman_ret\":3,\"response_string\":\"no\"}"), "3 no");
  EXPECT_THAT(seen.said, ElementsAre("d:x"));
}

TEST_P(Stream, AnAnswerAlone) {
  EXPECT_EQ(answer_or_error("{\"gearman_ret\":0,\"response_string\":\"\"}"), "0 ");
  EXPECT_THAT(seen.said, IsEmpty());
}

TEST_P(Stream, BytesThatAreNotUtf8PassAsTheyAre) {
  EXPECT_EQ(answer_or_error("{\"data\":\"\xe9\"}\n{\"gearman_ret\":0,\"response_string\":\"\xe9\"}"),
            "0 \xe9");
  EXPECT_THAT(seen.said, ElementsAre("d:\xe9"));
}

TEST_P(Stream, AnErrorShowsTheLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "ended without a line"},
      {"\n\n", "ended without a line"},
      {"{\"data\":\"x\"}\n", "ended without a line"},
      {"<b>Fatal error</b>\n", "is not JSON (syntax error): \"<b>Fatal error</b>\""},
      {"[1]\n", "JSON, but not an object"},
      {"{}\n", "has neither status"},
      {"{\"status\":3}\n", "not [done, of]"},
      {"{\"status\":[1,2,3]}\n", "not [done, of]"},
      {"{\"status\":[-1,2]}\n", "not [done, of]"},
      {"{\"status\":[1,4294967296]}\n", "not [done, of]"},
      {"{\"status\":[1,1.5]}\n", "not [done, of]"},
      {"{\"status\":[1,1e300]}\n", "not [done, of]"},
      {"{\"status\":[1,true]}\n", "not [done, of]"},
      {"{\"data\":1}\n", "data that is not a string"},
      {"{\"data_base64\":\"A\"}\n", "not base64"},
      {"{\"data\":\"x\",\"data_base64\":\"AP8=\"}\n", "both data and data_base64"},
      {"{\"warning\":null}\n", "warning that is not a string"},
      {"{\"gearman_ret\":0}\n", "response_string is missing"},
      {"{\"gearman_ret\":0,\"response_string\":\"x\"}\n{\"data\":\"x\"}\n",
       "follows the one with gearman_ret"},
  };
  for (const auto& [text, error] : cases) EXPECT_THAT(answer_or_error(text), HasSubstr(error)) << text;
}

TEST_P(Stream, OnlyTheAnswerMayBeALongLine) {
  const std::string text(StreamDecoder::kMaxProgressLine, 'x');
  EXPECT_EQ(answer_or_error("{\"gearman_ret\":0,\"response_string\":\"" + text + "\"}\n"), "0 " + text);
  const std::string data = "{\"data\":\"" + text + "\"}\n";
  EXPECT_THAT(answer_or_error(data), HasSubstr("gearman_ret is missing"));
  EXPECT_THAT(
      answer_or_error(data + "{\"gearman_ret\":0,\"response_string\":\"x\"}\n"),
      HasSubstr(
          "has 1048587 bytes and is not the last: one without gearman_ret may have 1048576; send data in "
          "smaller parts: \"{\"data\":\"xxx"));
  EXPECT_THAT(answer_or_error("{\"data\":\"" + text + text),
              HasSubstr("longer than max_response_size (2097152 bytes)"));
}

TEST(StreamDecoder, TheLimitOfTheAnswerDoesNotLimitOtherLines) {
  StreamDecoder decoder(100);
  Seen seen;
  AnswerDecoder answers;
  const std::string text(1000, 'x');
  ASSERT_TRUE(decoder.feed("{\"data\":\"" + text + "\"}\n", seen));
  EXPECT_THAT(seen.said, ElementsAre("d:" + text));
  const auto fed = decoder.feed("{\"gearman_ret\":0,\"response_string\":\"" + text + "\"}\n", seen);
  ASSERT_FALSE(fed);
  EXPECT_THAT(fed.error().message, HasSubstr("with the answer is longer than max_response_size (100 bytes)"));
}

}  // namespace
}  // namespace driveshaft::dispatch
