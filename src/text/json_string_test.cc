// SPDX-License-Identifier: MIT
#include "text/json_string.h"

#include <gtest/gtest.h>

namespace driveshaft::text {
namespace {

std::string json_string(std::string_view bytes) {
  std::string out = "x";
  append_json_string(out, bytes);
  return out;
}

TEST(JsonString, EscapesWhatJsonDoesNotAllow) {
  EXPECT_EQ(json_string(""), "x\"\"");
  EXPECT_EQ(json_string("a \"b\" \\ /"), R"(x"a \"b\" \\ /")");
  EXPECT_EQ(json_string("\r\n\t"), R"(x"\r\n\t")");
  EXPECT_EQ(json_string({"\0\x1f\x7f", 3}), "x\"\\u0000\\u001f\x7f\"");
  EXPECT_EQ(json_string("gr\u00fcn"), "x\"gr\u00fcn\"");
}

TEST(JsonString, KnowsWhatJsonWritesAsItIs) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(2000, static_cast<char>(byte));
    std::string out;
    EXPECT_EQ(is_plain_in_json(bytes), byte < 0x80 && append_as_json(out, bytes) && out == bytes) << byte;
  }
  EXPECT_TRUE(is_plain_in_json(""));
}

TEST(JsonString, ReplacesBytesThatAreNotUtf8) { EXPECT_EQ(json_string("a\xff\xc3"), "x\"a\ufffd\ufffd\""); }

TEST(JsonString, TheInsideIsAppendedOnlyIfItIsUtf8) {
  std::string out;
  EXPECT_TRUE(append_as_json(out, "gr\u00fcn\n"));
  EXPECT_EQ(out, "gr\u00fcn\\n");
  EXPECT_FALSE(append_as_json(out, "a\xff"));
}

}  // namespace
}  // namespace driveshaft::text
