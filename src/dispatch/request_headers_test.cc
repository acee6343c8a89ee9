// SPDX-License-Identifier: MIT
#include "dispatch/request_headers.h"

#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

std::string encoded(std::string_view bytes) {
  std::string out;
  append_header_value(out, bytes);
  return out;
}

TEST(RequestHeaders, VisibleAsciiStaysAndEverythingElseIsPercentEncoded) {
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("H:host.example:6/~!"), "H:host.example:6/~!");
  EXPECT_EQ(encoded(" a\tb\r\nc% "), "%20a%09b%0D%0Ac%25%20");
  EXPECT_EQ(encoded("Größe"), "Gr%C3%B6%C3%9Fe");
  EXPECT_EQ(encoded(std::string_view("\0\x7f\xff", 3)), "%00%7F%FF");
}

TEST(RequestHeaders, AnyBytesGiveOneLineThatDecodes) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string text = encoded(all);
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_TRUE(text[i] > 0x20 && text[i] < 0x7f);
    if (text[i] == '%') {
      decoded += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  EXPECT_EQ(decoded, all);
}

TEST(RequestHeaders, LinesOfAFunction) {
  EXPECT_EQ(function_lines("Regular pool", "Sum"),
            "Driveshaft-Pool: Regular%20pool\r\nDriveshaft-Function: Sum\r\n");
  EXPECT_EQ(function_lines(std::string(1000, 'p'), "f"),
            "Driveshaft-Pool: " + std::string(128, 'p') + "\r\nDriveshaft-Function: f\r\n");
}

TEST(RequestHeaders, LinesOfAnAttempt) {
  std::string out;
  const Trace trace{1, 2, true};
  append_attempt_lines(
      out, {"H:h:1", "u v", 3,
            std::chrono::system_clock::time_point(std::chrono::microseconds(1769860800123999)), trace, 4});
  EXPECT_EQ(out,
            "Driveshaft-Handle: H:h:1\r\nDriveshaft-Unique: u%20v\r\nDriveshaft-Attempt: 3\r\n"
            "Driveshaft-Deadline: 1769860800123\r\n"
            "traceparent: 00-00000000000000010000000000000002-0000000000000004-01\r\n");
}

TEST(RequestHeaders, LinesOfTheJobsFile) {
  EXPECT_EQ(header_lines({}), "");
  EXPECT_EQ(header_lines({{"X-A", "", text::Secret("1")}, {"Authorization", "/f", text::Secret("Bearer x")}}),
            "X-A: 1\r\nAuthorization: Bearer x\r\n");
}

}  // namespace
}  // namespace driveshaft::dispatch
