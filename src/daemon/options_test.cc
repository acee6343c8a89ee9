// SPDX-License-Identifier: MIT
#include "daemon/options.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

base::Result<Options> parse(std::vector<const char*> arguments) { return parse_options(arguments); }

// Adds the option that is required.
base::Result<Options> parse_with_jobs(std::vector<const char*> arguments) {
  arguments.push_back("--jobsconfig=/jobs.json");
  return parse_options(arguments);
}

std::string error_of(const base::Result<Options>& result) {
  return result ? "(no error)" : result.error().message;
}

TEST(Options, OnlyTheJobsFileIsRequired) {
  const auto options = parse({"--jobsconfig", "/etc/jobs.json"});
  ASSERT_TRUE(options) << error_of(options);
  Options expected;
  expected.jobs_config = "/etc/jobs.json";
  EXPECT_EQ(*options, expected);
  EXPECT_EQ(options->max_running_time, 3600s);
  EXPECT_EQ(options->loop_timeout, 10s);
  EXPECT_EQ(options->shutdown_timeout, std::nullopt);
  EXPECT_EQ(options->exporter, (net::Address{"0.0.0.0", 8888}));
  EXPECT_THAT(error_of(parse({})), HasSubstr("--jobsconfig is missing"));
  EXPECT_THAT(error_of(parse({"--check"})), HasSubstr("--jobsconfig is missing"));
}

TEST(Options, EveryOptionCanBeWrittenInBothWays) {
  const auto spaced = parse({"--user", "www-data", "--pid_file", "/run/d.pid", "--daemonize", "--jobsconfig",
                             "/j", "--logconfig", "/l.xml", "--max_running_time", "60", "--loop_timeout", "5",
                             "--shutdown_timeout", "60", "--exporter_addr", "[::1]:99", "--check"});
  ASSERT_TRUE(spaced) << error_of(spaced);
  const auto joined = parse({"--user=www-data", "--pid_file=/run/d.pid", "--daemonize", "--jobsconfig=/j",
                             "--logconfig=/l.xml", "--max_running_time=60", "--loop_timeout=5",
                             "--shutdown_timeout=60", "--exporter_addr=[::1]:99", "--check"});
  ASSERT_TRUE(joined) << error_of(joined);
  EXPECT_EQ(*spaced, *joined);
  EXPECT_EQ(spaced->user, "www-data");
  EXPECT_EQ(spaced->pid_file, "/run/d.pid");
  EXPECT_TRUE(spaced->daemonize);
  EXPECT_TRUE(spaced->check);
  EXPECT_EQ(spaced->jobs_config, "/j");
  EXPECT_EQ(spaced->log_config, "/l.xml");
  EXPECT_EQ(spaced->max_running_time, 60s);
  EXPECT_EQ(spaced->loop_timeout, 5s);
  EXPECT_EQ(spaced->shutdown_timeout, 60s);
  EXPECT_EQ(spaced->exporter, (net::Address{"::1", 99}));
}

TEST(Options, FormatAndLevelAreForLogsWithoutALogConfig) {
  const auto options = parse_with_jobs({"--log_format", "json", "--log_level", "debug"});
  ASSERT_TRUE(options) << error_of(options);
  EXPECT_EQ(options->log_format, log::Format::json);
  EXPECT_EQ(options->log_level, log::Level::debug);
  EXPECT_THAT(error_of(parse_with_jobs({"--log_format", "xml"})),
              HasSubstr("--log_format: expected one of text, json, got \"xml\""));
  EXPECT_THAT(error_of(parse_with_jobs({"--log_level", "INFO"})),
              HasSubstr("expected one of debug, info, warn, error, got \"INFO\""));
  EXPECT_THAT(error_of(parse_with_jobs({"--log_level", "info", "--logconfig", "/l.xml"})),
              HasSubstr("--log_level is for logs without --logconfig"));
}

TEST(Options, HelpAndVersionNeedNothingElse) {
  for (const auto& options : {parse({"--help"}), parse({"-h"}), parse({"help"}), parse({"help", "status"})}) {
    EXPECT_TRUE(options && options->help) << error_of(options);
  }
  EXPECT_TRUE(parse({"--version"})->version);
}

TEST(Options, PathsBecomeAbsolute) {
  const auto options = parse({"--jobsconfig", "conf/../jobs.json", "--pid_file", "d.pid"});
  ASSERT_TRUE(options) << error_of(options);
  const std::filesystem::path here = std::filesystem::current_path();
  EXPECT_EQ(options->jobs_config, (here / "jobs.json").string());
  EXPECT_EQ(options->pid_file, (here / "d.pid").string());
  const auto tokens = parse_with_jobs({"--admin_read_token_file", "r", "--admin_token_file=a"});
  EXPECT_EQ(tokens->read_token_file, (here / "r").string());
  EXPECT_EQ(tokens->admin_token_file, (here / "a").string());
}

TEST(Options, AnEmptyValueSwitchesAnOptionOff) {
  const auto options = parse_with_jobs(
      {"--pid_file=", "--logconfig=", "--control_socket=", "--exporter_addr=", "--exporter_host="});
  ASSERT_TRUE(options) << error_of(options);
  Options expected;
  expected.jobs_config = "/jobs.json";
  expected.exporter.reset();
  EXPECT_EQ(*options, expected);
}

TEST(Options, AnEmptyValueDoesNotSwitchProtectionOff) {
  for (const char* name : {"user", "admin_read_token_file", "admin_token_file", "exporter_certificate_file",
                           "exporter_key_file"}) {
    const std::string argument = fmt::format("--{}=", name);
    EXPECT_THAT(error_of(parse_with_jobs({argument.c_str()})), HasSubstr("got an empty one")) << name;
  }
}

TEST(Options, ExporterAddresses) {
  const auto exporter = [](const char* text) { return parse_with_jobs({"--exporter_addr", text})->exporter; };
  EXPECT_EQ(exporter("127.0.0.1:9100"), (net::Address{"127.0.0.1", 9100}));
  EXPECT_EQ(exporter("localhost"), (net::Address{"localhost", 8888}));
  EXPECT_EQ(exporter("127.0.0.1:0"), (net::Address{"127.0.0.1", 0}));
  EXPECT_EQ(exporter("[::1]:0"), (net::Address{"::1", 0}));
  EXPECT_EQ(exporter("::"), (net::Address{"::", 8888}));
  EXPECT_EQ(exporter("9100"), (net::Address{"0.0.0.0", 9100}));
  EXPECT_EQ(exporter(":9100"), (net::Address{"0.0.0.0", 9100}));
  EXPECT_EQ(exporter(":0"), (net::Address{"0.0.0.0", 0}));
  EXPECT_EQ(exporter(""), std::nullopt);
  EXPECT_EQ(parse_with_jobs({"--exporter_addr="})->exporter, std::nullopt);
  EXPECT_THAT(error_of(parse_with_jobs({"--exporter_addr", "localhost:99999"})),
              testing::AllOf(HasSubstr("--exporter_addr: "), HasSubstr("localhost:99999")));
  EXPECT_THAT(error_of(parse_with_jobs({"--exporter_addr", ":"})), HasSubstr("--exporter_addr: "));
  EXPECT_THAT(error_of(parse_with_jobs({"--exporter_addr", "99999"})), HasSubstr("--exporter_addr: "));
  EXPECT_EQ(error_of(parse_with_jobs({"--exporter_addr=http://h:1"})),
            "--exporter_addr: expected host:port or [IPv6]:port without a scheme, got \"http://h:1\"");
}

TEST(Options, NamesOfTheExportersHost) {
  using testing::ElementsAre;
  EXPECT_THAT(parse_with_jobs({"--exporter_host", "Worker-1.example,driveshaft"})->exporter_hosts,
              ElementsAre("worker-1.example", "driveshaft"));
  EXPECT_THAT(parse_with_jobs({"--exporter_host=one"})->exporter_hosts, ElementsAre("one"));
  EXPECT_THAT(parse_with_jobs({"--exporter_host="})->exporter_hosts, testing::IsEmpty());
  for (const char* text : {",", "one,", "one,,two", "one:8888", "http://one", "*", "one two"}) {
    EXPECT_THAT(
        error_of(parse_with_jobs({"--exporter_host", text})),
        HasSubstr(fmt::format("--exporter_host: expected names of hosts, separated by commas, without "
                              "ports, got \"{}\": ",
                              text)));
  }
}

TEST(Options, ACertificateAndItsKeyGoTogether) {
  const auto both = parse_with_jobs({"--exporter_certificate_file=/c", "--exporter_key_file=/k"});
  EXPECT_EQ(both->exporter_certificate_file, "/c");
  EXPECT_EQ(both->exporter_key_file, "/k");
  for (const char* one : {"--exporter_certificate_file=/c", "--exporter_key_file=/k"}) {
    EXPECT_THAT(error_of(parse_with_jobs({one})), HasSubstr("go together"));
  }
}

TEST(Options, TimesAreInSecondsOrHaveAUnit) {
  for (const char* text : {"-1", "", "ten", "5 parsecs", "1e3"}) {
    const std::string argument = fmt::format("--max_running_time={}", text);
    EXPECT_EQ(
        error_of(parse_with_jobs({argument.c_str()})),
        fmt::format("--max_running_time: expected a time such as 5, \"500ms\", \"5s\" or \"10m\", got \"{}\"",
                    text));
  }
  for (const char* text : {"0", "999ms", "0.5", "99999999999999999999", "1000000001", "11575d"}) {
    const std::string argument = fmt::format("--max_running_time={}", text);
    EXPECT_EQ(error_of(parse_with_jobs({argument.c_str()})),
              fmt::format("--max_running_time: expected a time from 1 to 1000000000 s, got \"{}\"", text));
  }
  EXPECT_EQ(parse_with_jobs({"--max_running_time=2h"})->max_running_time, 2h);
  EXPECT_EQ(parse_with_jobs({"--shutdown_timeout=1.5"})->shutdown_timeout, 1500ms);
  EXPECT_EQ(parse_with_jobs({"--loop_timeout=1500ms"})->loop_timeout, 1500ms);
  EXPECT_EQ(parse_with_jobs({"--loop_timeout=1"})->loop_timeout, 1s);
  EXPECT_EQ(parse_with_jobs({"--loop_timeout=86400"})->loop_timeout, 24h);
  EXPECT_EQ(error_of(parse_with_jobs({"--loop_timeout=86401"})),
            "--loop_timeout: expected a time from 1 to 86400 s, got \"86401\"");
}

TEST(Options, ADrainWaitsForMultiplesOfLoopTimeoutUnlessItIsToldHowLong) {
  auto options = parse_with_jobs({"--loop_timeout=5"});
  EXPECT_EQ(drain_window(*options, false), 10s);
  EXPECT_EQ(drain_window(*options, true), 20s);
  options = parse_with_jobs({"--loop_timeout=5", "--shutdown_timeout=3600"});
  EXPECT_EQ(drain_window(*options, false), 1h);
  EXPECT_EQ(drain_window(*options, true), 1h);
  EXPECT_EQ(error_of(parse_with_jobs({"--shutdown_timeout=0"})),
            "--shutdown_timeout: expected a time from 1 to 1000000000 s, got \"0\"");
}

TEST(Options, AnUnknownOptionGetsTheNearestNameAsAHint) {
  EXPECT_THAT(error_of(parse_with_jobs({"--jobconfig=x"})),
              HasSubstr("unknown option --jobconfig; did you mean --jobsconfig?"));
  EXPECT_THAT(error_of(parse({"--jobs", "x"})),
              HasSubstr("unknown option --jobs; did you mean --jobsconfig?"));
  EXPECT_THAT(error_of(parse_with_jobs({"--pid-fiel", "x"})), HasSubstr("did you mean --pid_file?"));
  EXPECT_EQ(error_of(parse_with_jobs({"--frobnicate"})),
            "unknown option --frobnicate; --help lists them all");
}

TEST(Options, ADashInANameIsAsGoodAsAnUnderscore) {
  EXPECT_EQ(parse_with_jobs({"--pid-file", "/x-y_z"})->pid_file, "/x-y_z");
  EXPECT_EQ(parse_with_jobs({"--pid-file=/x-y_z"})->pid_file, "/x-y_z");
  EXPECT_EQ(parse_with_jobs({"--pid-file="})->pid_file, "");
  EXPECT_EQ(error_of(parse_with_jobs({"--loop-timeout", "1", "--loop_timeout", "2"})),
            "--loop_timeout is given twice");
  EXPECT_THAT(error_of(parse_with_jobs({"--jobs-config", "x"})), HasSubstr("did you mean --jobsconfig?"));
}

TEST(Options, ACheckMayBeOnline) {
  EXPECT_FALSE(parse_with_jobs({"--check"})->check_online);
  const auto online = parse_with_jobs({"--check=online"});
  ASSERT_TRUE(online) << error_of(online);
  EXPECT_TRUE(online->check);
  EXPECT_TRUE(online->check_online);
  EXPECT_THAT(absolute_arguments(std::vector<const char*>{"--check=online", "--jobsconfig=/j"}),
              testing::ElementsAre("--check=online", "--jobsconfig=/j"));
}

TEST(Options, AbbreviatedNamesAreNotAccepted) {
  EXPECT_THAT(error_of(parse_with_jobs({"--max_running=5"})), HasSubstr("unknown"));
}

TEST(Options, OtherMistakesAreErrors) {
  EXPECT_THAT(error_of(parse_with_jobs({"--check", "stray"})), HasSubstr("unexpected argument"));
  EXPECT_THAT(error_of(parse_with_jobs({"--check=stray"})),
              HasSubstr("--check: unexpected argument, only \"=online\" may follow it, got \"stray\""));
  EXPECT_THAT(error_of(parse_with_jobs({"--daemonize", "stray"})),
              HasSubstr("unexpected argument \"stray\""));
  EXPECT_THAT(error_of(parse({"--jobsconfig"})), HasSubstr("--jobsconfig"));
  EXPECT_THAT(error_of(parse({"--jobsconfig="})), HasSubstr("--jobsconfig: expected a path"));
  EXPECT_THAT(error_of(parse_with_jobs({"--user="})), HasSubstr("--user: expected the name"));
  EXPECT_THAT(error_of(parse_with_jobs({"--daemonize=yes"})), HasSubstr("--daemonize"));
  EXPECT_EQ(error_of(parse_with_jobs({"--user=a", "--user=b"})), "--user is given twice");
  EXPECT_EQ(error_of(parse_with_jobs({"--jobsconfig=b"})), "--jobsconfig is given twice");
  EXPECT_THAT(error_of(parse_with_jobs({"-x"})), HasSubstr("-x"));
  EXPECT_THAT(error_of(parse_with_jobs({"--"})), testing::Not(HasSubstr("no error")));
  EXPECT_THAT(error_of(parse_with_jobs({"--check", ""})), HasSubstr("unexpected argument"));
}

TEST(Options, AnUnknownCommandGetsTheNearestNameAsAHint) {
  EXPECT_EQ(error_of(parse({"bogus", "--json"})), "there is no command \"bogus\"; --help lists them");
  EXPECT_EQ(error_of(parse({"staus"})),
            "there is no command \"staus\"; did you mean status? --help lists them");
  for (const char* name : {"pause", "log-level", "init", "letters", "probe"}) {
    const std::string wrong = std::string(name) + "x";
    EXPECT_THAT(error_of(parse({wrong.c_str()})), HasSubstr("did you mean " + std::string(name) + "?"));
  }
}

TEST(Options, AbsoluteArgumentsMeanTheSameInAnyDirectory) {
  const std::vector<const char*> arguments{
      "--jobsconfig", "jobs.json", "--daemonize", "--exporter_addr", "", "--user=a", "--pid_file=../d.pid"};
  const auto absolute = absolute_arguments(arguments);
  const auto here = std::filesystem::current_path();
  EXPECT_EQ(absolute, (std::vector<std::string>{"--jobsconfig=" + (here / "jobs.json").string(),
                                                "--daemonize", "--exporter_addr=", "--user=a",
                                                "--pid_file=" + (here.parent_path() / "d.pid").string()}));
  std::vector<const char*> again;
  again.reserve(absolute.size());
  for (const auto& argument : absolute) again.push_back(argument.c_str());
  EXPECT_EQ(*parse(again), *parse(arguments));
}

TEST(Options, DefaultsReadBackAsThemselves) {
  for (const OptionRow& row : option_table()) {
    const std::string text = row.value({});
    if (row.argument.empty() || text.empty()) continue;
    Options options;
    ASSERT_TRUE(row.set(options, text)) << row.name;
    EXPECT_EQ(options, Options()) << row.name;
  }
}

TEST(Options, HelpListsEveryOption) {
  const std::string help = help_text();
  for (const OptionRow& row : option_table()) {
    EXPECT_THAT(help, HasSubstr("--" + std::string(row.name)));
    const std::string text = row.value({});
    EXPECT_THAT(help, HasSubstr(text.empty() ? "" : "(=" + text + ")"));
  }
}

TEST(Options, DocumentationHasEveryOptionWithItsDefault) {
  std::ifstream file(SOURCE_DIR "/docs/command-line.md");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  for (const OptionRow& row : option_table()) {
    const std::string value = row.argument.empty() ? "" : fmt::format(" {}", row.argument);
    const std::string shown = row.value({});
    EXPECT_THAT(page, HasSubstr(fmt::format("\n| `--{}{}` | {} | ", row.name, value,
                                            shown.empty() ? "" : fmt::format("`{}`", shown))));
  }
}

}  // namespace
}  // namespace driveshaft::daemon
