// SPDX-License-Identifier: MIT
#include "log/fields.h"

#include <gmock/gmock.h>

#include "text/printable.h"

namespace driveshaft::log {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::Pair;

TEST(LogFields, ALineOfAJobIsTakenApart) {
  const std::string line =
      R"(Failed job: function=f unique= uri=http://a/?b=c&d=e duration=0.5 reason="no \"x\" \\ \x1b[1m")";
  const auto fields = parse_fields(line);
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->what, "Failed job");
  EXPECT_THAT(fields->values,
              ElementsAre(Pair("function", "f"), Pair("unique", ""), Pair("uri", "http://a/?b=c&d=e"),
                          Pair("duration", "0.5"), Pair("reason", "no \"x\" \\ \x1b[1m")));
}

TEST(LogFields, WhateverIsWrittenIsReadBack) {
  for (const std::string& value :
       {""s, "a"s, " "s, "\""s, "a\"b"s, "\\"s, "a b\\"s, "\"a b\\\""s, "a=b return_code=0"s,
        "\0\n\xff\xc2\x85"s, "\\x41 b"s, "ü \xe2\x82\xac"s, R"({"gearman_ret": 1})"s, R"({"a":1})"s}) {
    std::string line = "What: before=1 value=";
    text::append_value(line, value, 100);
    const auto fields = parse_fields(line.append(" after=2"));
    ASSERT_TRUE(fields) << line;
    EXPECT_THAT(fields->values, ElementsAre(Pair("before", "1"), Pair("value", value), Pair("after", "2")))
        << line;
  }
}

TEST(LogFields, OtherLinesAreNone) {
  for (const char* line : {"", "driveshaft 1.0.0 starts, pid 7", "pool a: endpoint b: c=d", "What: ",
                           "What: a=b c", "What: a=\"b", "What: a=\"b\"c", "What: A=b", "What: a=\"b\\"}) {
    EXPECT_FALSE(parse_fields(line)) << line;
  }
}

}  // namespace
}  // namespace driveshaft::log
