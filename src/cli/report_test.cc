// SPDX-License-Identifier: MIT
#include "cli/report.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

namespace driveshaft::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

boost::json::object status() {
  return boost::json::parse(R"({
    "at": 1000, "well": false, "summary": "Regular: endpoint down.",
    "problems": [{"level": "bad", "pool": "Regular", "server": null, "text": "Regular: endpoint down"},
                 {"level": "warning", "pool": null, "server": null, "text": "the jobs file is rejected"}],
    "daemon": {"version": "1.0.0", "host": "h", "pid": 1, "started_at": 880, "state": "running", "silent": 0},
    "pools": [{"name": "Regular", "state": "running", "slots": 12, "busy": 12, "jobs_per_second": 74.83, "failures_per_second": 1.5,
               "p50": 0.0588, "p95": 0.251, "p99": 7.86, "queued": 312, "queued_known": {"jobs": 312, "servers": 2, "of": 2},
               "endpoint": {"uri": "http://e/", "state": "down", "why": "refused", "held": 12}},
              {"name": "Ünïcode", "state": "running", "slots": 3, "busy": 0, "jobs_per_second": 0, "failures_per_second": 0,
               "p50": null, "p95": null, "p99": null, "queued": null, "queued_known": {"jobs": 0, "servers": 0, "of": 2},
               "endpoint": {"uri": "http://f/", "state": "up", "why": null, "held": 0}}],
    "servers": [{"address": "one:4730", "state": "up", "since": 940, "why": null,
                 "connections": {"up": 2, "wanted": 2},
                 "queue": {"queued": 312, "running": 12, "other_workers": 3}},
                {"address": "two:4730", "state": "down", "since": 986, "why": "cannot connect",
                 "connections": {"up": 0, "wanted": 2}, "queue": null}]})")
      .as_object();
}

TEST(Report, IsTheVerdictThenPoolsThenServers) {
  EXPECT_THAT(
      report(status(), {}),
      ElementsAre(
          "Regular: endpoint down.", "- warning: the jobs file is rejected", "",
          "POOL      BUSY  JOBS/S  FAILED/S     P50    P95   P99  WAITING  ENDPOINT",
          "Regular  12/12    74.8      1.50  58.8ms  251ms  7.9s      312  down http://e/ (12 held): refused",
          "Ünïcode    0/3       0         0       -      -     -        -  up http://f/", "",
          "GEARMAND  CONNECTIONS  WAITING  RUNNING  OTHER WORKERS  STATE",
          "one:4730          2/2      312       12              3  up for 60s",
          "two:4730          0/2        -        -              -  down for 14s: cannot connect"));
}

boost::json::object failures() {
  return boost::json::parse(R"({"at": 1000, "failures": [
    {"pool": "b", "function": "f", "handle": "H:x:9", "at": 990.5, "attempts": 3, "took": 0.25, "reason": "no\nroom"},
    {"pool": "b", "function": "f", "handle": "H:x:1", "at": 910, "attempts": 1, "took": 2, "reason": "oops"},
    {"pool": "a", "function": "g", "handle": "H:x:5", "at": 940, "attempts": 1, "took": 2, "reason": "busy"}]})")
      .as_object();
}

TEST(FailureLines, TheNewestIsTheLast) {
  std::optional<double> shown;
  EXPECT_THAT(failure_lines(failures(), "", {}, shown),
              ElementsAre("AGO   POOL  FUNCTION  HANDLE  ATTEMPTS   TOOK  REASON",
                          "90s   b     f         H:x:1          1   2.0s  oops",
                          "60s   a     g         H:x:5          1   2.0s  busy",
                          "9.5s  b     f         H:x:9          3  250ms  no\\x0aroom"));
  EXPECT_EQ(shown, 990.5);
  EXPECT_THAT(failure_lines(failures(), "", {}, shown), testing::IsEmpty()) << "they were shown";
}

TEST(FailureLines, LaterOnesFollowWithoutAHead) {
  std::optional<double> shown = 930;
  EXPECT_THAT(failure_lines(failures(), "a", {}, shown), ElementsAre(HasSubstr("busy")));
  EXPECT_EQ(shown, 940);
}

TEST(FailureLines, SaysSoIfThereIsNone) {
  std::optional<double> shown;
  EXPECT_THAT(failure_lines(failures(), "c", {}, shown),
              ElementsAre("No job of pool c has failed since the daemon started."));
  EXPECT_THAT(failure_lines(failures(), "a", {}, shown), ElementsAre(HasSubstr("busy")));
}

TEST(JobLines, OfOnePoolOrOfAll) {
  const auto answer = boost::json::parse(R"({"at": 1, "running": 300, "jobs": [
    {"pool": "a", "function": "f", "handle": "H:x:1", "attempt": 1, "age": 30, "time_left": 70, "state": "posted"},
    {"pool": "b", "function": "g", "handle": "H:x:2", "attempt": 2, "age": 0.5, "time_left": null, "state": "held"}
    ]})")
                          .as_object();
  EXPECT_THAT(job_lines(answer, "", {}),
              ElementsAre(HasSubstr("TIME LEFT"), HasSubstr("posted"), HasSubstr("held"),
                          "300 jobs run; of each pool the oldest are listed"));
  EXPECT_THAT(job_lines(answer, "b", {}),
              ElementsAre(HasSubstr("TIME LEFT"), HasSubstr("H:x:2"), HasSubstr("300")));
  EXPECT_THAT(job_lines(answer, "c", {}), ElementsAre("No job of pool c runs."));
}

TEST(Report, APoolThatDrainsHasNoSlots) {
  auto draining = status();
  auto& pool = draining["pools"].as_array()[0].as_object();
  pool["state"] = "draining";
  pool["slots"] = 0;
  EXPECT_THAT(report(draining, {})[4], testing::StartsWith("Regular  12 left "));
}

TEST(Report, OfServersWhoseQueuesAreUnknownTheOthersAreShown) {
  auto partly = status();
  auto& pool = partly["pools"].as_array()[0].as_object();
  pool["queued"] = nullptr;
  pool["queued_known"].as_object()["servers"] = 1;
  EXPECT_THAT(report(partly, {})[4], HasSubstr("  312 at 1 of 2  down"));
}

TEST(Report, FitsTheTerminal) {
  for (const auto& line : report(status(), {.color = false, .width = 40})) {
    std::size_t columns = 0;
    for (const char c : line) columns += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    EXPECT_LE(columns, 40U) << line;
  }
}

TEST(Report, ColorsOnlyIfAsked) {
  const auto text = [](const Style& style) {
    return fmt::format("{}", fmt::join(report(status(), style), "\n"));
  };
  EXPECT_THAT(text({.color = false}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(text({.color = true}), HasSubstr("\x1b[31mRegular: endpoint down.\x1b[0m"));
}

TEST(Report, WhatComesOverTheNetworkIsEscaped) {
  auto evil = status();
  evil["summary"] = "\x1b]0;title\x07";
  EXPECT_EQ(report(evil, {}).front(), "\\x1b]0;title\\x07");
}

TEST(Report, Trends) {
  Trends trends;
  auto now = status();
  for (int i = 0; i < 40; ++i) {
    now["pools"].as_array()[0].as_object()["jobs_per_second"] = i;
    note_trends(trends, now);
  }
  EXPECT_EQ(trends["Regular"].size(), kTrendLength);
  EXPECT_THAT(report(now, {}, &trends)[4], HasSubstr("▇█"));
}

TEST(Report, TheTitle) {
  EXPECT_EQ(title(status(), "h:8888", {}), "driveshaft 1.0.0 on h (h:8888), up for 2min");
  EXPECT_EQ(title(status(), "h:8888", {.color = false, .width = 12}), "driveshaft …");
}

TEST(Report, WhatIsNoStatus) {
  EXPECT_TRUE(parse_status(R"({"well":true})"));
  for (const char* text : {"", "{", "[]", "{}", "<html>"}) EXPECT_FALSE(parse_status(text)) << text;
}

}  // namespace
}  // namespace driveshaft::cli
