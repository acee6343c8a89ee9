// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/test_dir.h"
#include "log/backups.h"
#include "log/console.h"
#include "log/log.h"
#include "log/test_config.h"
#include "log/writer.h"

namespace driveshaft::log {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr Logger kLog{"Test"};
constexpr const char* kDaily = "org.apache.log4j.DailyRollingFileAppender";
constexpr const char* kRolling = "org.apache.log4j.RollingFileAppender";

std::string local_time(const char* format, std::chrono::system_clock::time_point when) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::string text(64, '\0');
  text.resize(std::strftime(text.data(), text.size(), format, &local));
  return text;
}

// Not std::time: it may be some milliseconds behind the clock that lines are stamped with.
void wait_for_the_next_second() {
  const auto second = [] { return std::chrono::system_clock::now().time_since_epoch() / 1s; };
  const auto start = second();
  while (second() == start) ::usleep(10'000);
}

class LogAppendersTest : public testing::Test {
 protected:
  ~LogAppendersTest() override { configure_logging(file_config(dir_, "WARN", dir_ / "after.log")); }

  // A log file that was last written to an hour and a day ago.
  void make_old_log(const std::string& name) const {
    dir_.write(name, "old\n");
    fs::last_write_time(dir_ / name, fs::file_time_type::clock::now() - 25h);
  }

  const base::TestDir dir_;
};

TEST(LogBackups, DatedNames) {
  EXPECT_EQ(dated_name("/l/a.log", "'.'yyyy-MM-dd"), "/l/a.log.%d{yyyy-MM-dd}");
  EXPECT_EQ(dated_name("a", "'.'yyyy-MM-dd-HH"), "a.%d{yyyy-MM-dd-HH}");
  EXPECT_EQ(dated_name("a", "yyyy'.old'"), "a%d{yyyy}.old");
  EXPECT_EQ(dated_name("a", "'-'%d{yyyyMMdd}"), "a-%d{yyyyMMdd}");
  EXPECT_EQ(dated_name("50%", "'%''x'MM"), "50%%%%'x%d{MM}") << "a percent sign, and a quote within quotes";
}

TEST_F(LogAppendersTest, DailyFileOfYesterdayGetsItsDateAndTodaysKeepsTheName) {
  make_old_log("a.log");
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log",
                                R"(<param name="DatePattern" value="'.'yyyy-MM-dd"/>)", kDaily));
  kLog.info("new");
  const auto yesterday = std::chrono::system_clock::now() - 25h;
  EXPECT_EQ(dir_.read("a.log." + local_time("%Y-%m-%d", yesterday)), "old\n");
  EXPECT_EQ(dir_.read("a.log"), "INFO Test new\n");
}

TEST_F(LogAppendersTest, DatePatternByTheHourAndBeforeTheFile) {
  make_old_log("a.log");
  // The name of the file last, as some write it.
  const std::string more =
      R"(<param name="DatePattern" value="'-'yyyyMMddHH'.old'"/><param name="File" value=")" +
      (dir_ / "a.log") + R"("/>)";
  configure_logging(file_config(dir_, "INFO", dir_ / "not this one", more, kDaily));
  kLog.info("new");
  const auto then = std::chrono::system_clock::now() - 25h;
  EXPECT_EQ(dir_.read("a.log-" + local_time("%Y%m%d%H", then) + ".old"), "old\n");
}

TEST_F(LogAppendersTest, DailyFileOfTodayIsAppendedTo) {
  dir_.write("a.log", "INFO Test before\n");
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log", "", kDaily));
  kLog.info("after");
  EXPECT_EQ(dir_.read("a.log"), "INFO Test before\nINFO Test after\n");
}

TEST_F(LogAppendersTest, StaleFileIsRolledWhenItIsOpenedAgain) {
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log", "", kDaily));
  kLog.info("before");
  fs::last_write_time(dir_ / "a.log", fs::file_time_type::clock::now() - 25h);
  reopen_logs();
  kLog.info("after");
  const auto yesterday = std::chrono::system_clock::now() - 25h;
  EXPECT_EQ(dir_.read("a.log." + local_time("%Y-%m-%d", yesterday)), "INFO Test before\n");
  EXPECT_EQ(dir_.read("a.log"), "INFO Test after\n");
}

TEST_F(LogAppendersTest, FileIsRolledWhileItIsOpen) {
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log",
                                R"(<param name="DatePattern" value="'.'yyyyMMddHHmmss"/>)", kDaily));
  kLog.info("one");
  wait_for_the_next_second();
  kLog.info("two");
  EXPECT_EQ(dir_.read("a.log"), "INFO Test two\n");
  std::string rolled;
  for (const auto& entry : fs::directory_iterator(dir_ / "")) {
    const std::string name = entry.path().filename();
    if (name.starts_with("a.log.")) rolled += dir_.read(name);
  }
  EXPECT_EQ(rolled, "INFO Test one\n");
}

// To rename what is no regular file would put one in its place: as root in that of /dev/null. Each is the
// File of an appender that would roll it at once, by its date or by its size.
class UnrollableFileTest : public LogAppendersTest, public testing::WithParamInterface<const char*> {
 protected:
  // Lines are logged, and nothing but the file and `others` is there afterwards.
  void log_to(const std::string& name, std::size_t others) {
    struct stat before = {};
    ASSERT_EQ(::lstat((dir_ / name).c_str(), &before), 0);
    const timespec long_ago[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (dir_ / name).c_str(), long_ago, 0), 0);
    configure_logging(
        file_config(dir_, "INFO", dir_ / name, R"(<param name="MaxFileSize" value="10"/>)", GetParam()));
    kLog.info("one");
    kLog.info("two");
    struct stat after = {};
    ASSERT_EQ(::lstat((dir_ / name).c_str(), &after), 0);
    EXPECT_EQ(after.st_ino, before.st_ino);
    EXPECT_EQ(after.st_mode, before.st_mode);
    const auto files = std::distance(fs::directory_iterator(dir_ / ""), fs::directory_iterator());
    EXPECT_EQ(files, static_cast<std::ptrdiff_t>(2 + others)) << "with the configuration";
  }
};

TEST_P(UnrollableFileTest, SymlinkIsWrittenThrough) {
  dir_.write("real.log", "old\n");
  fs::create_symlink("real.log", dir_ / "a.log");
  log_to("a.log", 1);
  EXPECT_EQ(dir_.read("real.log"), "old\nINFO Test one\nINFO Test two\n");
}

TEST_P(UnrollableFileTest, FifoIsWrittenTo) {
  ASSERT_EQ(::mkfifo((dir_ / "a.log").c_str(), 0600), 0);
  const int reader = ::open((dir_ / "a.log").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  log_to("a.log", 0);
  std::string seen(100, '\0');
  seen.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(reader, seen.data(), seen.size()))));
  ::close(reader);
  EXPECT_EQ(seen, "INFO Test one\nINFO Test two\n");
}

TEST_P(UnrollableFileTest, DeviceStays) {
  // A device like /dev/null, but another one.
  if (::mknod((dir_ / "a.log").c_str(), S_IFCHR | 0600, ::makedev(1, 3)) != 0)
    GTEST_SKIP() << "this machine makes no devices";
  const int fd = ::open((dir_ / "a.log").c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) GTEST_SKIP() << "this machine opens no devices there";
  ::close(fd);
  log_to("a.log", 0);
}

INSTANTIATE_TEST_SUITE_P(Appenders, UnrollableFileTest, testing::Values(kDaily, kRolling),
                         [](const auto& tested) { return tested.param == kDaily ? "Daily" : "Sized"; });

TEST_F(LogAppendersTest, FullFileBecomesBackupsUpToTheNumberAskedFor) {
  configure_logging(file_config(
      dir_, "INFO", dir_ / "a.log",
      R"(<param name="MaxBackupIndex" value="15"/><param name="MaxFileSize" value="100"/>)", kRolling));
  const std::string filler(100, 'x');
  for (int i = 0; i < 20; ++i) kLog.info("{} {}", i, filler);
  EXPECT_EQ(dir_.read("a.log"), "INFO Test 19 " + filler + "\n");
  EXPECT_EQ(dir_.read("a.log.1"), "INFO Test 18 " + filler + "\n");
  EXPECT_EQ(dir_.read("a.log.15"), "INFO Test 4 " + filler + "\n");
  EXPECT_FALSE(fs::exists(dir_ / "a.log.16"));
}

TEST_F(LogAppendersTest, SizesAreKeptWhenLinesAreGathered) {
  configure_logging(file_config(
      dir_, "INFO", dir_ / "a.log",
      R"(<param name="MaxFileSize" value="10KB"/><param name="MaxBackupIndex" value="3"/>)", kRolling));
  {
    Writer writer;
    for (int i = 0; i < 10'000; ++i) kLog.info("{:080}", i);
  }
  for (const char* name : {"a.log.1", "a.log.2", "a.log.3"}) {
    EXPECT_NEAR(static_cast<double>(fs::file_size(dir_ / name)), 10 * 1024, 1024) << name;
  }
}

TEST_F(LogAppendersTest, WithoutBackupsAFullFileIsEmptied) {
  configure_logging(file_config(
      dir_, "INFO", dir_ / "a.log",
      R"(<param name="MaxFileSize" value="50"/><param name="MaxBackupIndex" value="0"/>)", kRolling));
  const std::string filler(50, 'x');
  for (int i = 0; i < 3; ++i) kLog.info("{} {}", i, filler);
  EXPECT_EQ(dir_.read("a.log"), "INFO Test 2 " + filler + "\n");
  EXPECT_FALSE(fs::exists(dir_ / "a.log.1"));
}

// Stands for another process that has the file open.
void append_to(const std::string& path, const std::string& line) {
  std::ofstream(path, std::ios::app) << line;
}

TEST_F(LogAppendersTest, LinesOfAnotherProcessAreNotOverwritten) {
  dir_.write("a.log", "old\n");
  const std::string emptied = R"(<param name="Append" value="false"/>)";
  for (const char* of_class : {"org.apache.log4j.FileAppender", kDaily}) {
    configure_logging(file_config(dir_, "INFO", dir_ / "a.log", emptied, of_class));
    kLog.info("one");
    append_to(dir_ / "a.log", "INFO other\n");
    kLog.info("two");
    EXPECT_EQ(dir_.read("a.log"), "INFO Test one\nINFO other\nINFO Test two\n");
  }
  configure_logging(file_config(
      dir_, "INFO", dir_ / "b.log",
      R"(<param name="MaxFileSize" value="50"/><param name="MaxBackupIndex" value="0"/>)", kRolling));
  kLog.info("{}", std::string(50, 'x'));
  kLog.info("one");
  append_to(dir_ / "b.log", "INFO other\n");
  kLog.info("two");
  EXPECT_EQ(dir_.read("b.log"), "INFO Test one\nINFO other\nINFO Test two\n");
}

TEST_F(LogAppendersTest, FilesThatAnotherProcessLogsToAreNotEmptied) {
  dir_.write("a.log", "INFO other\n");
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log", R"(<param name="Append" value="false"/>)"),
                    Opening::appending);
  kLog.info("one");
  EXPECT_EQ(dir_.read("a.log"), "INFO other\nINFO Test one\n");
}

TEST_F(LogAppendersTest, FilesAreRolledByOneOfTwoProcesses) {
  const std::string filler(50, 'x');
  for (const char* of_class : {kRolling, kDaily}) {
    configure_logging(file_config(
        dir_, "INFO", dir_ / "a.log",
        R"(<param name="MaxFileSize" value="50"/><param name="DatePattern" value="'.'yyyyMMddHHmmss"/>)",
        of_class));
    kLog.info("one {}", filler);
    roll_files(false);
    wait_for_the_next_second();
    fs::rename(dir_ / "a.log", dir_ / "rolled by another");
    append_to(dir_ / "a.log", "INFO other\n");
    kLog.info("two {}", filler);
    kLog.info("three {}", filler);
    EXPECT_EQ(dir_.read("a.log"), "INFO other\n");
    EXPECT_THAT(dir_.read("rolled by another"),
                testing::AllOf(testing::HasSubstr("Test two"), testing::HasSubstr("Test three")));
    roll_files(true);
    fs::remove(dir_ / "a.log");
  }
}

// FixedWindowRollingPolicy, which AddressSanitizer refuses, has its test in tests/test_logs.py.
TEST_F(LogAppendersTest, NestedPolicyOfTodayGoesOnWorking) {
  make_old_log("a.log");
  configure_logging(file_config(dir_, "INFO", dir_ / "a.log",
                                R"(
    <rollingPolicy class="org.apache.log4j.rolling.TimeBasedRollingPolicy">
      <param name="FileNamePattern" value=")" +
                                    (dir_ / "old-%d{yyyyMMdd}.log") + R"("/>
    </rollingPolicy>)",
                                "org.apache.log4j.rolling.RollingFileAppender"));
  kLog.info("new");
  const auto yesterday = std::chrono::system_clock::now() - 25h;
  EXPECT_EQ(dir_.read("old-" + local_time("%Y%m%d", yesterday) + ".log"), "old\n");
  EXPECT_EQ(dir_.read("a.log"), "INFO Test new\n");
}

TEST(LogConsole, JsonLines) {
  std::string line;
  append_json_line(line, 1'769'860'800'123'456, "INFO", "Main", "a \"b\" \\ \x01 é \xff\n");
  EXPECT_EQ(line, R"({"time":"2026-01-31T12:00:00.123Z","level":"INFO","logger":"Main",)"
                  R"("message":"a \"b\" \\ \u0001 é )"
                  "\ufffd"
                  R"(\n"})"
                  "\n");
}

TEST(LogConsole, FormatAndLevel) {
  log_to_console(Format::json, Level::warn);
  testing::internal::CaptureStderr();
  kLog.info("hidden");
  kLog.warn("shown");
  const std::string shown = testing::internal::GetCapturedStderr();
  EXPECT_THAT(shown, testing::StartsWith(R"({"time":"20)"));
  EXPECT_THAT(shown, testing::EndsWith(R"(Z","level":"WARN","logger":"Test","message":"shown"})"
                                       "\n"));
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 1);
}

}  // namespace
}  // namespace driveshaft::log
