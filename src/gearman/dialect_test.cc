// SPDX-License-Identifier: MIT
#include "gearman/dialect.h"

#include <gtest/gtest.h>

namespace driveshaft::gearman {
namespace {

std::string packet(PacketType type, auto... arguments) {
  std::string bytes;
  append_packet(bytes, type, std::string_view(arguments)...);
  return bytes;
}

std::string end(Dialect dialect, JobResult result) {
  std::string bytes;
  append_end(bytes, dialect, "H:a:1", result, "text");
  return bytes;
}

const std::string kComplete = packet(PacketType::work_complete, "H:a:1", "text");
const std::string kException = packet(PacketType::work_exception, "H:a:1", "text");
const std::string kWarning = packet(PacketType::work_warning, "H:a:1", "text");
const std::string kFail = packet(PacketType::work_fail, "H:a:1");

TEST(Dialect, GearmandIsSentGrabJobUniq) {
  EXPECT_EQ(grab_packet(Dialect::gearmand), PacketType::grab_job_uniq);
  EXPECT_EQ(grab_packet(Dialect::perl), PacketType::grab_job);
}

TEST(Dialect, APerlServerKnowsNeitherDataNorWarnings) {
  for (const auto type : {PacketType::work_data, PacketType::work_warning}) {
    EXPECT_TRUE(knows(Dialect::gearmand, type));
    EXPECT_FALSE(knows(Dialect::perl, type));
  }
  EXPECT_TRUE(knows(Dialect::perl, PacketType::work_status));
}

TEST(Dialect, AtGearmandAJobEndsWithOneTerminalPacket) {
  EXPECT_EQ(end(Dialect::gearmand, JobResult::complete), kComplete);
  EXPECT_EQ(end(Dialect::gearmand, JobResult::exception), kException);
  EXPECT_EQ(end(Dialect::gearmand, JobResult::warning_and_fail), kWarning + kFail);
  EXPECT_EQ(end(Dialect::gearmand, JobResult::fail), kFail);
}

TEST(Dialect, AtAPerlServerWorkFailFollowsAnExceptionAndNoWarningIsSent) {
  EXPECT_EQ(end(Dialect::perl, JobResult::complete), kComplete);
  EXPECT_EQ(end(Dialect::perl, JobResult::exception), kException + kFail);
  EXPECT_EQ(end(Dialect::perl, JobResult::warning_and_fail), kFail);
  EXPECT_EQ(end(Dialect::perl, JobResult::fail), kFail);
}

}  // namespace
}  // namespace driveshaft::gearman
