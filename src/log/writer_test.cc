// SPDX-License-Identifier: MIT
#include "log/writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>

#include "base/test_dir.h"
#include "log/log.h"
#include "log/test_config.h"

namespace driveshaft::log {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr Logger kLog{"Test"};
constexpr auto kLong = 20s;

// A FIFO whose reader does not read until it is asked to: the log file that is stuck.
class StuckFile {
 public:
  explicit StuckFile(const std::string& path) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    reader_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  }
  ~StuckFile() {
    if (reader_ >= 0) ::close(reader_);
  }
  StuckFile(const StuckFile&) = delete;
  StuckFile& operator=(const StuckFile&) = delete;

  // The text that was written and not yet returned, up to and including `last`.
  std::string read_until(const std::string& last) {
    std::string piece(64 * 1024, '\0');
    std::size_t from = 0;
    while (true) {
      if (const auto found = unread_.find(last, from); found != unread_.npos) {
        std::string all = unread_.substr(0, found + last.size());
        unread_.erase(0, all.size());
        return all;
      }
      from = unread_.size() - std::min(unread_.size(), last.size() - 1);
      pollfd poll{reader_, POLLIN, 0};
      const ssize_t size = ::poll(&poll, 1, 20'000) == 1 ? ::read(reader_, piece.data(), piece.size()) : 0;
      if (size <= 0) return std::exchange(unread_, {});
      unread_.append(piece, 0, static_cast<std::size_t>(size));
    }
  }

 private:
  int reader_ = -1;
  std::string unread_;
};

class WriterTest : public testing::Test {
 protected:
  ~WriterTest() override { configure_logging(file_config(dir_, "WARN", dir_ / "after.log")); }

  const base::TestDir dir_;
};

TEST_F(WriterTest, WritesLinesInTheirOrderAndWhatIsLeftAtItsEnd) {
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log"));
  std::string expected;
  {
    Writer writer;
    for (int i = 0; i < 5000; ++i) {
      kLog.info("line {}", i);
      expected += fmt::format("INFO Test line {}\n", i);
    }
    ASSERT_TRUE(writer.flush(kLong));
    EXPECT_EQ(dir_.read("a.log"), expected);
    kLog.error("the last");
  }
  EXPECT_EQ(dir_.read("a.log"), expected + "ERROR Test the last\n");
}

TEST_F(WriterTest, BufferedLinesAreWrittenAtItsEnd) {
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log", R"(<param name="BufferedIO" value="true"/>)"));
  {
    const Writer writer;
    kLog.info("buffered");
  }
  EXPECT_EQ(dir_.read("a.log"), "INFO Test buffered\n");
}

TEST_F(WriterTest, LineTellsWhenItWasLoggedNotWhenItWasWritten) {
  StuckFile file(dir_ / "fifo");
  configure_logging(dir_.write("log.xml", R"(<?xml version="1.0" encoding="UTF-8"?>
<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">
  <appender name="file" class="org.apache.log4j.FileAppender">
    <param name="File" value=")" + (dir_ / "fifo") +
                                              R"("/>
    <layout class="org.apache.log4j.PatternLayout"><param name="ConversionPattern" value="%d{SSS} %m%n"/></layout>
  </appender>
  <root><level value="INFO"/><appender-ref ref="file"/></root>
</log4j:configuration>)"));
  Writer writer;
  kLog.info("{}", std::string(200'000, 'x'));  // more than the FIFO holds
  const auto milliseconds = [] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const auto before = milliseconds();
  kLog.info("late");
  const auto logged = milliseconds() - before;
  while (milliseconds() - before < logged + 100) ::usleep(1000);
  const std::string all = file.read_until("late\n");
  const auto stamp = std::stoll(all.substr(all.find("late") - 4, 3));
  EXPECT_LE((stamp - before % 1000 + 1000) % 1000, logged + 1) << all.substr(all.size() - 20);
}

TEST_F(WriterTest, StuckFileDelaysNobodyAndLostLinesAreCounted) {
  StuckFile file(dir_ / "fifo");
  configure_logging(file_config(dir_, "INFO", dir_ / "fifo"));
  Writer writer;
  const std::string big(100'000, 'x');
  kLog.info("first");
  constexpr int kLines = 1000;  // 100 MB
  for (int i = 0; i < kLines; ++i) kLog.write(Level::info, big);
  EXPECT_FALSE(writer.flush(1ms));
  // The rest of a queue that was full twice is reported twice.
  int dropped = 0;
  long written = -1;  // without the first line
  while (dropped + written < kLines) {
    const std::string part = file.read_until("as fast as lines came\n");
    const std::string last = part.substr(part.rfind('\n', part.size() - 2) + 1);
    ASSERT_THAT(last, StartsWith("WARN Main "));
    dropped += std::stoi(last.substr(sizeof("WARN Main ") - 1));
    written += std::count(part.begin(), part.end(), '\n') - 1;
  }
  EXPECT_EQ(dropped + written, kLines);
  EXPECT_GT(dropped, kLines / 2);
  EXPECT_GT(written, 100) << "a queue's worth";
  kLog.info("well again");
  EXPECT_THAT(file.read_until("again\n"), EndsWith("INFO Test well again\n"));
}

TEST_F(WriterTest, LineLongerThanTheQueueIsWrittenAllTheSame) {
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log"));
  Writer writer;
  const std::string huge(20'000'000, 'x');
  kLog.write(Level::info, huge);
  ASSERT_TRUE(writer.flush(kLong));
  EXPECT_EQ(dir_.read("a.log").size(), huge.size() + sizeof("INFO Test ") - 1 + 1);
}

TEST_F(WriterTest, ReopeningComesBetweenTheLinesBeforeAndAfter) {
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log"));
  Writer writer;
  kLog.info("one");
  ASSERT_TRUE(writer.flush(kLong));
  std::filesystem::rename(dir_ / "a.log", dir_ / "a.log.1");
  kLog.info("two");
  reopen_logs();
  kLog.info("three");
  ASSERT_TRUE(writer.flush(kLong));
  EXPECT_EQ(dir_.read("a.log.1"), "INFO Test one\nINFO Test two\n");
  EXPECT_EQ(dir_.read("a.log"), "INFO Test three\n");
}

TEST_F(WriterTest, LinesOfAFullDiskAreCountedOnceItHasRoom) {
  // A link, so that the disk can have room again.
  std::filesystem::create_symlink("/dev/full", dir_ / "a.log");
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log"));
  testing::internal::CaptureStderr();
  Writer writer;
  for (int i = 0; i < 7; ++i) kLog.info("lost");
  ASSERT_TRUE(writer.flush(kLong));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("lines for the log file " + (dir_ / "a.log") + " are being lost: "));
  std::filesystem::remove(dir_ / "a.log");
  reopen_logs();
  kLog.info("kept");
  ASSERT_TRUE(writer.flush(kLong));
  EXPECT_THAT(dir_.read("a.log"), StartsWith("INFO Test kept\nWARN Main 7 log lines were dropped: "));
}

using WriterDeathTest = WriterTest;

TEST_F(WriterDeathTest, ProcessWithAStuckFileEndsAllTheSame) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        StuckFile file(dir_ / "fifo");
        configure_logging(file_config(dir_, "INFO", dir_ / "fifo"));
        {
          Writer writer;
          kLog.write(Level::info, std::string(200'000, 'x'));
        }
        std::filesystem::remove_all(dir_ / "");  // the child of a threadsafe death test has one of its own
        std::exit(3);
      },
      testing::ExitedWithCode(3), "the log is stuck; its last lines were not written");
}

}  // namespace
}  // namespace driveshaft::log
