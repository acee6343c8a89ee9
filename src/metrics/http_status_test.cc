// SPDX-License-Identifier: MIT
#include "metrics/http_status.h"

#include <gtest/gtest.h>

#include <set>

namespace driveshaft::metrics {
namespace {

TEST(HttpStatusLabel, CommonStatusesAreNamedByTheirNumber) {
  for (const int status : {301, 302, 308, 400, 404, 419, 429, 499, 500, 502, 503, 504, 520}) {
    EXPECT_EQ(http_status_label(status), std::to_string(status));
  }
}

TEST(HttpStatusLabel, OtherStatusesAreNamedByTheirClass) {
  EXPECT_EQ(http_status_label(101), "1xx");
  EXPECT_EQ(http_status_label(204), "2xx");
  EXPECT_EQ(http_status_label(399), "3xx");
  EXPECT_EQ(http_status_label(432), "4xx");
  EXPECT_EQ(http_status_label(599), "5xx");
}

TEST(HttpStatusLabel, ANumberThatIsNoStatusIsOther) {
  for (const int status : {-1, 0, 99, 600, 999, 1000}) EXPECT_EQ(http_status_label(status), "other");
}

TEST(HttpStatusLabel, ThereAreFiftySixLabelsAtMost) {
  std::set<std::string> labels;
  for (int status = -1; status <= 1001; ++status) labels.insert(http_status_label(status));
  EXPECT_EQ(labels.size(), 56U);
}

}  // namespace
}  // namespace driveshaft::metrics
