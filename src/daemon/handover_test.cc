// SPDX-License-Identifier: MIT
#include "daemon/handover.h"

#include <gmock/gmock.h>

#include "daemon/launch.h"
#include "daemon/successor.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Kind = Message::Kind;

const SteadyTime kNow{1000s};

std::optional<Message> through_the_socket(const Message& message, SteadyTime arrival = kNow) {
  std::string line = to_line(message, kNow);
  EXPECT_TRUE(line.ends_with('\n'));
  line.pop_back();
  EXPECT_EQ(line.find('\n'), std::string::npos);
  return parse_line(line, arrival);
}

TEST(Handover, MessagesArriveAsTheyWere) {
  for (const Kind kind : {Kind::not_executed, Kind::ready, Kind::failed, Kind::serving, Kind::go,
                          Kind::main_process, Kind::drain, Kind::reopen_logs}) {
    const auto arrived = through_the_socket({kind});
    ASSERT_TRUE(arrived);
    EXPECT_EQ(arrived->kind, kind);
  }
  const auto failed = through_the_socket({Kind::failed, "two\nlines, \"quoted\""});
  EXPECT_EQ(failed->text, "two\nlines, \"quoted\"");
  EXPECT_EQ(through_the_socket({.kind = Kind::go, .number = 7})->number, 7);
  EXPECT_EQ(through_the_socket({.kind = Kind::drain, .window = 20s})->window, 20s);
  EXPECT_EQ(through_the_socket({.kind = Kind::drain})->window, 0s);
}

TEST(Handover, PausesKeepWhatIsLeftOfTheirTime) {
  Message go{.kind = Kind::go};
  go.pauses["Web"].pool = dispatch::Pause{kNow - 60s, kNow + 540s, "deploy \"2\""};
  go.pauses["Web"].functions["f"] = dispatch::Pause{kNow - 1s, {}, ""};
  go.pauses["Other"].functions["g/h"] = dispatch::Pause{kNow, kNow + 1s, "x"};
  const auto arrived = through_the_socket(go, kNow + 1ms);
  ASSERT_TRUE(arrived);
  ASSERT_EQ(arrived->pauses.size(), 2U);
  const auto& web = arrived->pauses.at("Web");
  ASSERT_TRUE(web.pool);
  EXPECT_EQ(web.pool->since, kNow - 60s + 1ms);
  EXPECT_EQ(web.pool->until, kNow + 540s + 1ms);
  EXPECT_EQ(web.pool->reason, "deploy \"2\"");
  EXPECT_FALSE(web.functions.at("f").until);
  EXPECT_FALSE(arrived->pauses.at("Other").pool);
  EXPECT_TRUE(arrived->pauses.at("Other").functions.at("g/h").until);
}

TEST(Handover, UnknownMessagesAndMembersAreSkipped) {
  EXPECT_FALSE(parse_line("", kNow));
  EXPECT_FALSE(parse_line("{", kNow));
  EXPECT_FALSE(parse_line("[]", kNow));
  EXPECT_FALSE(parse_line(R"({"say": "sing"})", kNow));
  EXPECT_FALSE(parse_line(R"({"text": "ready"})", kNow));
  const auto ready = parse_line(R"({"say": "ready", "mood": "good", "number": "7", "pauses": 3})", kNow);
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->number, 0);
}

TEST(Handover, InheritanceIsWrittenAsAVariable) {
  const Inheritance all{.channel = 5, .stderr_before = 6, .exporter = 7, .control = 8, .pid_file = 9};
  EXPECT_EQ(to_text(all), "channel=5,stderr=6,exporter=7,control=8,pid_file=9");
  EXPECT_EQ(*parse_inheritance(to_text(all)), all);
  const Inheritance few{.channel = 5, .stderr_before = 6};
  EXPECT_EQ(*parse_inheritance(to_text(few)), few);
}

TEST(Handover, AVariableThatNoUpgradeHasSetIsRefused) {
  for (const char* text : {"", "1", "channel=5", "channel=5,stderr=6,sun=7", "channel=5,stderr=6,exporter",
                           "channel=5,stderr=6,exporter=", "channel=5,stderr=6,exporter=x",
                           "channel=5,stderr=6,exporter=2", "channel=5,stderr=6,exporter=7 "}) {
    const auto read = parse_inheritance(text);
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message, HasSubstr("was not set by an upgrade"));
  }
}

// --- tests with real processes

class RecordingOwner final : public Successor::Owner {
 public:
  Message let_go() override { return {Kind::go}; }
  void hand_over(pid_t, const std::string&) override {}
  void upgrade_failed(const std::string& reason) override { failed = reason; }
  void drain_too(std::chrono::milliseconds) override {}
  void reopen_logs_too() override {}
  void successor_ended() override {}

  std::string failed;
};

std::string failure_of(const Program& program) {
  asio::io_context loop;
  RecordingOwner owner;
  Successor successor(loop, program, owner);
  std::string answer;
  successor.start({}, [&](bool taken_over, const std::string& text) {
    answer = taken_over ? "went well" : text;
    loop.stop();
  });
  loop.run_for(60s);
  EXPECT_EQ(owner.failed, answer);
  return answer;
}

TEST(Successor, FailsWhenTheProgramIsMissing) {
  EXPECT_EQ(failure_of({"/no/such/program", {}}),
            "the program /no/such/program cannot be started: No such file or directory");
  EXPECT_EQ(failure_of({"/etc", {}}), "the program /etc cannot be started: Permission denied");
}

TEST(Successor, FailsWhenTheProgramEndsAtOnce) {
  EXPECT_EQ(failure_of({"/bin/true", {}}), "the new process ended and gave no reason");
  EXPECT_EQ(failure_of({"/bin/sh", {"-c", "echo no >&2; echo $0 >&2", "library missing"}}),
            "the new process ended; it said last: library missing");
}

TEST(Successor, InheritsOnlyTheDescriptorsThatItIsGiven) {
  // ls lists its own descriptors: the three standard ones, the channel, the old stderr, and the directory.
  const std::string shown =
      failure_of({"/bin/sh", {"-c", "echo $(ls /proc/self/fd | wc -l) $DRIVESHAFT_INHERITED >&2"}});
  EXPECT_THAT(shown, HasSubstr("it said last: 6 channel="));
}

TEST(Program, IsTheRunningProgramWithAbsolutePaths) {
  const char* const arguments[] = {"--jobsconfig", "/jobs.json"};
  const Program program = this_program(arguments);
  EXPECT_THAT(program.path, testing::EndsWith("unit_tests"));
  EXPECT_EQ(program.path.front(), '/');
  EXPECT_EQ(program.arguments, std::vector<std::string>{"--jobsconfig=/jobs.json"});
}

}  // namespace
}  // namespace driveshaft::daemon
