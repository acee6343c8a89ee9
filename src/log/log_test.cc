// SPDX-License-Identifier: MIT
#include "log/log.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "base/exit_codes.h"
#include "base/test_dir.h"
#include "log/test_config.h"

namespace driveshaft::log {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

constexpr Logger kLog{"Test"};

class LogTest : public testing::Test {
 protected:
  // The other tests log to a file that nobody reads.
  ~LogTest() override { configure_logging(file_config("WARN", dir_ / "after.log")); }

  std::string file_config(const std::string& level, const std::string& log,
                          const std::string& more = "") const {
    return log::file_config(dir_, level, log, more);
  }

  const base::TestDir dir_;
};

TEST_F(LogTest, FileSettingsDecideWhatIsWritten) {
  configure_logging(file_config("INFO", dir_ / "a.log"));
  EXPECT_FALSE(kLog.enabled(Level::debug));
  EXPECT_TRUE(kLog.enabled(Level::info));
  kLog.debug("not {}", "this");
  kLog.info("{} of {}", 1, "two");
  kMainLog.warn("careful");
  kThreadLog.error("{:.3f}", 0.25);
  kLog.write(Level::info, "as it is: {}");
  kLog.write(Level::debug, "nor this");
  EXPECT_EQ(dir_.read("a.log"),
            "INFO Test 1 of two\nWARN Main careful\nERROR Thread 0.250\nINFO Test as it is: {}\n");
}

TEST_F(LogTest, LevelsOfAnotherFileHoldForLoggersInUse) {
  configure_logging(file_config("INFO", dir_ / "a.log"));
  EXPECT_TRUE(kLog.enabled(Level::info));
  configure_logging(file_config("ERROR", dir_ / "b.log"));
  EXPECT_FALSE(kLog.enabled(Level::info));
  EXPECT_FALSE(kLog.enabled(Level::warn));
  EXPECT_TRUE(kLog.enabled(Level::error));
}

TEST_F(LogTest, PropertiesFile) {
  configure_logging(dir_.write("log.properties",
                               "log4j.rootLogger=WARN, file\n"
                               "log4j.appender.file=org.apache.log4j.FileAppender\n"
                               "log4j.appender.file.File=" +
                                   (dir_ / "p.log") +
                                   "\n"
                                   "log4j.appender.file.layout=org.apache.log4j.PatternLayout\n"
                                   "log4j.appender.file.layout.ConversionPattern=%m%n\n"));
  kLog.info("no");
  kLog.warn("yes");
  EXPECT_EQ(dir_.read("p.log"), "yes\n");
}

TEST_F(LogTest, WithoutFileInfoGoesToStderr) {
  configure_logging("");
  testing::internal::CaptureStderr();
  kLog.debug("hidden");
  kLog.info("shown é");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), EndsWith(" INFO  Test - shown é\n"));
}

TEST_F(LogTest, Utf8StaysUtf8) {
  configure_logging(file_config("INFO", dir_ / "a.log"));
  kLog.info("naïve … 日本");
  EXPECT_EQ(dir_.read("a.log"), "INFO Test naïve … 日本\n");
}

TEST_F(LogTest, LongLinesStayWhole) {
  configure_logging(file_config("INFO", dir_ / "a.log"));
  const std::string line(200'000, 'x');
  kLog.info("{}", line);
  kLog.info("next");
  EXPECT_EQ(dir_.read("a.log"), "INFO Test " + line + "\nINFO Test next\n");
}

TEST_F(LogTest, MissingFileIsAStartupError) {
  const std::string path = dir_ / "missing.xml";
  try {
    configure_logging(path);
    FAIL() << "no error";
  } catch (const base::StartupError& e) {
    EXPECT_THAT(e.what(), HasSubstr(path + ": No such file or directory"));
    EXPECT_EQ(e.exit_code(), base::kExitLogConfig);
  }
}

TEST_F(LogTest, DirectoryAndBrokenXmlAreStartupErrors) {
  EXPECT_THROW(configure_logging(dir_ / ""), base::StartupError);
  testing::internal::CaptureStderr();
  EXPECT_THROW(configure_logging(dir_.write("broken.xml", "<configuration>\n</root>")), base::StartupError);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("broken.xml"));
}

// The error of a configuration that is refused.
std::string refusal(const std::string& path) {
  testing::internal::CaptureStderr();  // log4cxx's own complaints
  std::string message = "(accepted)";
  try {
    configure_logging(path);
  } catch (const base::StartupError& e) {
    EXPECT_EQ(e.exit_code(), base::kExitLogConfig);
    message = e.what();
  }
  testing::internal::GetCapturedStderr();
  return message;
}

std::string xml(const std::string& inner) {
  return R"(<?xml version="1.0"?><!DOCTYPE log4j:configuration SYSTEM "log4j.dtd">
<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">)" +
         inner + "</log4j:configuration>";
}

constexpr const char* kSimple = R"(<layout class="org.apache.log4j.SimpleLayout"/>)";

TEST_F(LogTest, BrokenXmlIsShownWithItsLine) {
  EXPECT_THAT(refusal(dir_.write("a.xml", xml("\n<root>\n<level value=info/>\n</root>"))),
              testing::AllOf(HasSubstr("a.xml is not valid: "), HasSubstr("(line 4)")));
}

TEST_F(LogTest, AFileThatIsNoXmlGetsARemedy) {
  for (const char* empty : {"", "\n \n", "<?xml version=\"1.0\"?>\n", "<!-- later -->"}) {
    EXPECT_THAT(refusal(dir_.write("a.xml", empty)),
                HasSubstr("a.xml is not valid: it is empty; begin with examples/logconfig.xml, or leave "))
        << empty;
  }
  for (const char* properties : {"log4j.rootLogger=INFO, x\n", "\n# Comment\nlog4j.rootLogger=INFO, x\n"}) {
    EXPECT_THAT(
        refusal(dir_.write("log.conf", properties)),
        HasSubstr("log.conf is not valid: it does not begin with < as XML does; if it is a properties file, "
                  "give it a name that ends in .properties"))
        << properties;
  }
}

TEST_F(LogTest, UnknownClassesAreNamed) {
  EXPECT_THAT(refusal(dir_.write("a.xml", xml(R"(<appender name="x" class="org.apache.log4j.FlieAppender"/>
      <root><appender-ref ref="x"/></root>)"))),
              HasSubstr("appender \"x\" is of the class org.apache.log4j.FlieAppender, which"));
  EXPECT_THAT(refusal(dir_.write("a.xml", xml(R"(<appender name="x" class="org.apache.log4j.ConsoleAppender">
      <layout class="acme.NiceLayout"/></appender><root><appender-ref ref="x"/></root>)"))),
              HasSubstr("layout of appender \"x\" is of the class acme.NiceLayout, which"));
  EXPECT_THAT(
      refusal(dir_.write("a.properties", "log4j.rootLogger=INFO, x\nlog4j.appender.x=acme.KafkaAppender\n")),
      HasSubstr("log4j.appender.x is of the class acme.KafkaAppender, which"));
}

TEST_F(LogTest, ConfigurationWithoutAnyAppenderIsRefused) {
  EXPECT_THAT(refusal(dir_.write("a.xml", xml(R"(<root><level value="info"/></root>)"))),
              HasSubstr("neither root nor the loggers Main and Thread have an appender"));
  EXPECT_THAT(refusal(dir_.write("a.properties", "log4j.rootLogger=INFO\n")),
              HasSubstr("neither root nor the loggers Main and Thread have an appender"));
  EXPECT_THAT(
      refusal(dir_.write("a.xml", xml(R"(<appender name="x" class="org.apache.log4j.ConsoleAppender">)" +
                                      std::string(kSimple) + R"(</appender>
      <logger name="Elsewhere"><appender-ref ref="x"/></logger>)"))),
      HasSubstr("neither root nor the loggers"));
}

TEST_F(LogTest, AppendersThatAreMissingOrIncompleteAreNamed) {
  EXPECT_THAT(
      refusal(dir_.write("a.xml", xml(R"(<appender name="x" class="org.apache.log4j.ConsoleAppender">)" +
                                      std::string(kSimple) + R"(</appender>
      <logger name="Main"><appender-ref ref="y"/></logger><root><appender-ref ref="x"/></root>)"))),
      HasSubstr("there is no appender \"y\", which the logger Main refers to"));
  EXPECT_THAT(refusal(dir_.write("a.xml", xml(R"(<appender name="x" class="org.apache.log4j.ConsoleAppender"/>
      <root><appender-ref ref="x"/></root>)"))),
              HasSubstr("appender \"x\" has no layout"));
  EXPECT_THAT(refusal(dir_.write("a.xml", xml(R"(<appender name="x" class="org.apache.log4j.FileAppender">)" +
                                              std::string(kSimple) + R"(</appender>
      <root><appender-ref ref="x"/></root>)"))),
              HasSubstr("appender \"x\" names no file"));
}

TEST_F(LogTest, AnAsyncAppenderWithoutAnotherAppenderIsRefused) {
  const std::string async = R"(<appender name="a" class="org.apache.log4j.AsyncAppender">{}</appender>
      <appender name="x" class="org.apache.log4j.ConsoleAppender">)" +
                            std::string(kSimple) + R"(</appender><root><appender-ref ref="a"/></root>)";
  EXPECT_THAT(
      refusal(dir_.write("a.xml", xml(fmt::format(fmt::runtime(async), R"(<appender-ref ref="y"/>)")))),
      HasSubstr("there is no appender \"y\", which the appender a refers to"));
  EXPECT_THAT(refusal(dir_.write("a.xml", xml(fmt::format(fmt::runtime(async), "")))),
              HasSubstr("appender \"a\" hands lines to other appenders and refers to none"));
  EXPECT_EQ(refusal(dir_.write("a.xml", xml(fmt::format(fmt::runtime(async), R"(<appender-ref ref="x"/>)")))),
            "(accepted)");
}

// log4cxx takes them, with a complaint on stderr, and logs nothing.
TEST_F(LogTest, AppendersThatCannotWorkAreRefused) {
  const auto refusal_of = [&](const std::string& type) {
    return refusal(dir_.write("a.xml", xml(R"(<appender name="x" class="org.apache.log4j.)" + type + R"(">)" +
                                           kSimple + R"(</appender><root><appender-ref ref="x"/></root>)")));
  };
  EXPECT_THAT(refusal_of("db.ODBCAppender"),
              HasSubstr("appender \"x\" cannot work, as this log4cxx is built"));
  EXPECT_THAT(refusal_of("net.SMTPAppender"), HasSubstr("appender \"x\" "));
  EXPECT_THAT(refusal_of("net.XMLSocketAppender"),
              HasSubstr("appender \"x\" names no host; give it the param"));
  EXPECT_EQ(refusal_of("net.SyslogAppender"), "(accepted)");
  EXPECT_THAT(refusal(dir_.write("a.properties",
                                 "log4j.rootLogger=INFO, x\n"
                                 "log4j.appender.x=org.apache.log4j.net.SMTPAppender\n"
                                 "log4j.appender.x.layout=org.apache.log4j.SimpleLayout\n")),
              HasSubstr("appender \"x\" "));
  EXPECT_THAT(
      refusal(dir_.write("a.xml", xml(R"(<appender name="x" class="org.apache.log4j.db.ODBCAppender">)" +
                                      std::string(kSimple) + R"(</appender>
      <appender name="a" class="org.apache.log4j.AsyncAppender"><appender-ref ref="x"/></appender>
      <root><appender-ref ref="a"/></root>)"))),
      HasSubstr("appender \"x\" cannot work"))
      << "behind another appender";
}

TEST_F(LogTest, FileThatCannotBeOpenedIsRefused) {
  const std::string file = dir_.write("file", "") + "/a.log";
  EXPECT_THAT(refusal(file_config("INFO", file)),
              HasSubstr("cannot open the log file " + file + " of appender \"file\": Not a directory"));
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(refusal(file_config("INFO", dir_ / "fifo")),
              HasSubstr("cannot open the log file " + (dir_ / "fifo")))
      << "nobody reads it; log4cxx would wait until somebody does";
}

TEST_F(LogTest, ReopenFollowsARename) {
  configure_logging(file_config("INFO", dir_ / "a.log"));
  kLog.info("one");
  std::filesystem::rename(dir_ / "a.log", dir_ / "a.log.1");
  kLog.info("two");
  reopen_logs();
  kLog.info("three");
  EXPECT_EQ(dir_.read("a.log.1"), "INFO Test one\nINFO Test two\n");
  EXPECT_EQ(dir_.read("a.log"), "INFO Test three\n");
}

TEST_F(LogTest, ReopenKeepsWhatAnUnrotatedFileHolds) {
  configure_logging(file_config("INFO", dir_ / "a.log", R"(<param name="Append" value="false"/>)"));
  kLog.info("one");
  reopen_logs();
  kLog.info("two");
  EXPECT_EQ(dir_.read("a.log"), "INFO Test one\nINFO Test two\n");
}

TEST_F(LogTest, ReopenWritesWhatWasBuffered) {
  configure_logging(file_config("INFO", dir_ / "a.log", R"(<param name="BufferedIO" value="true"/>)"));
  kLog.info("buffered");
  EXPECT_EQ(dir_.read("a.log"), "");
  reopen_logs();
  EXPECT_EQ(dir_.read("a.log"), "INFO Test buffered\n");
}

TEST_F(LogTest, FilesBehindAnAsyncAppenderAreFound) {
  configure_logging(dir_.write("async.xml", R"(<?xml version="1.0" encoding="UTF-8"?>
<log4j:configuration xmlns:log4j="http://jakarta.apache.org/log4j/">
  <appender name="file" class="org.apache.log4j.FileAppender">
    <param name="File" value=")" + (dir_ / "b.log") +
                                                R"("/>
    <layout class="org.apache.log4j.SimpleLayout"/>
  </appender>
  <appender name="async" class="org.apache.log4j.AsyncAppender"><appender-ref ref="file"/></appender>
  <root><level value="INFO"/><appender-ref ref="async"/></root>
</log4j:configuration>)"));
  EXPECT_EQ(log_files(), std::vector<std::string>{dir_ / "b.log"});
}

TEST_F(LogTest, FileThatCannotBeReopenedStaysOpen) {
  std::filesystem::create_directory(dir_ / "sub");
  configure_logging(file_config("INFO", dir_ / "sub/a.log"));
  std::filesystem::rename(dir_ / "sub", dir_ / "moved");
  reopen_logs();
  kLog.info("still here");
  EXPECT_THAT(dir_.read("moved/a.log"), HasSubstr("cannot reopen the log file " + (dir_ / "sub/a.log")));
  EXPECT_THAT(dir_.read("moved/a.log"), EndsWith("INFO Test still here\n"));
}

TEST_F(LogTest, FullDiskLosesLinesWithOneMessage) {
  configure_logging(file_config("INFO", "/dev/full"));
  testing::internal::CaptureStderr();
  kLog.info("lost");
  kLog.info("lost too");
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, HasSubstr("/dev/full are being lost: "));
  EXPECT_THAT(told, HasSubstr("No space left on device"));
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 1) << told;
}

TEST_F(LogTest, LogFilesAreKnown) {
  configure_logging(file_config("INFO", dir_ / "a.log"));
  EXPECT_EQ(log_files(), std::vector<std::string>{dir_ / "a.log"});
  configure_logging("");
  EXPECT_TRUE(log_files().empty());
}

TEST_F(LogTest, ShippedExampleIsValid) {
  const std::string shipped_file = "/var/log/driveshaft.log";
  std::ifstream example(SOURCE_DIR "/examples/logconfig.xml");
  std::string text(std::istreambuf_iterator<char>(example), {});
  const std::size_t at = text.find(shipped_file);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, shipped_file.size(), dir_ / "a.log");

  testing::internal::CaptureStderr();
  configure_logging(dir_.write("example.xml", text));
  EXPECT_TRUE(kMainLog.enabled(Level::info));
  EXPECT_FALSE(kThreadLog.enabled(Level::debug));
  kThreadLog.info("job");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "")
      << "jobs go to the file, and log4cxx has no complaints";
  EXPECT_THAT(dir_.read("a.log"), EndsWith(" INFO  Thread - job\n"));
}

}  // namespace
}  // namespace driveshaft::log
