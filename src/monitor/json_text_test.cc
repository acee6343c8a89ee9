// SPDX-License-Identifier: MIT
#include "monitor/json_text.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace driveshaft::monitor {
namespace {

TEST(JsonText, NumbersAreWrittenAsPeopleDo) {
  const boost::json::value value{
      {"a", 0.2}, {"b", 1795938046.098}, {"c", -3}, {"d", 86400.0}, {"e", 0.000001}};
  EXPECT_EQ(json_text(value), R"({"a":0.2,"b":1795938046.098,"c":-3,"d":86400,"e":1e-06})");
}

TEST(JsonText, IsWhatTheParserReads) {
  const auto value = boost::json::parse(
      R"({"o":{},"l":[],"n":[null,true,[1,{"x":"\u0000\"ü\n"}]],"\"k":18446744073709551615})");
  EXPECT_EQ(boost::json::parse(json_text(value)), value);
}

}  // namespace
}  // namespace driveshaft::monitor
