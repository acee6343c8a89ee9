// SPDX-License-Identifier: MIT
#include "text/units.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace driveshaft::text {
namespace {

using namespace std::chrono_literals;

TEST(Duration, HasAUnit) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("90s"), 90s);
  EXPECT_EQ(parse_duration("10m"), 10min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("1d"), 24h);
  EXPECT_EQ(parse_duration("0s"), 0s);
}

TEST(Duration, MayBeAFraction) {
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("0.25h"), 15min);
  EXPECT_EQ(parse_duration("0.0004s"), 1ms) << "one that is not 0 stays so";
}

TEST(Duration, ANumberWithoutAUnitHasTheUnitThatTheCallerSays) {
  EXPECT_EQ(parse_duration("90", 1s), 90s);
  EXPECT_EQ(parse_duration("0.5", 1s), 500ms);
  EXPECT_EQ(parse_duration("90s", 1ms), 90s);
  EXPECT_FALSE(parse_duration("90"));
}

TEST(Duration, ATimeThatIsTooLongBecomesTheLongest) {
  const std::string digits(400, '9');
  for (const auto& text : {std::string("1000000000000000d"), digits + "s"})
    EXPECT_EQ(parse_duration(text), std::chrono::milliseconds::max()) << text;
}

TEST(Duration, OtherTextIsNone) {
  for (const char* text : {"", "s", "-1s", "+1s", "1w", "5 parsecs", "10 m", "1.s", ".5s", "1..5s", "1.5.5s",
                           "1e3s", "0x10s", "inf", "nans", "5S", "5s ", " 5s", "5sm"})
    EXPECT_FALSE(parse_duration(text, 1s)) << text;
}

TEST(Size, HasAUnitThatIsAPowerOfTwo) {
  EXPECT_EQ(parse_size("64M"), 64u << 20);
  EXPECT_EQ(parse_size("512k"), 512u << 10);
  EXPECT_EQ(parse_size("512K"), 512u << 10);
  EXPECT_EQ(parse_size("1G"), 1u << 30);
  EXPECT_EQ(parse_size("7B"), 7u);
  EXPECT_EQ(parse_size("0k"), 0u);
}

TEST(Size, MayNameTheByte) {
  for (const char* text : {"3kB", "3KB", "3kiB", "3KiB"}) EXPECT_EQ(parse_size(text), 3072u) << text;
  EXPECT_EQ(parse_size("64MiB"), parse_size("64MB"));
  EXPECT_EQ(parse_size("2GiB"), parse_size("2G"));
}

TEST(Size, ASizeThatIsTooLargeBecomesTheLargest) {
  for (const char* text : {"18446744073709551615k", "99999999999999999999G"})
    EXPECT_EQ(parse_size(text), std::numeric_limits<std::uint64_t>::max()) << text;
}

TEST(Size, OtherTextIsNone) {
  for (const char* text : {"", "1", "M", "-1M", "1.5M", "1 M", "1m", "1g", "1T", "1iB", "1ki", "1Mi", "1MBB",
                           "0x1M", "1M ", "1BB"})
    EXPECT_FALSE(parse_size(text)) << text;
}

}  // namespace
}  // namespace driveshaft::text
