// SPDX-License-Identifier: MIT
#include "cli/report.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <cstdlib>
#include <ctime>

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
      ElementsAre("Regular: endpoint down.", "- warning: the jobs file is rejected", "",
                  "POOL      BUSY  JOBS/S  FAILED/S     P50    P95   P99  WAITING  ENDPOINT  URI",
                  "Regular  12/12    74.8      1.50  58.8ms  251ms  7.9s      312  down      http://e/ (12 "
                  "held): refused",
                  "Ünïcode    0/3       0         0       -      -     -        -  up        http://f/", "",
                  "GEARMAND  CONNECTIONS  WAITING  RUNNING  OTHER WORKERS  STATE         REASON",
                  "one:4730          2/2      312       12              3  up for 60s",
                  "two:4730          0/2        -        -              -  down for 14s  cannot connect"));
}

TEST(Report, DeadLettersHaveAColumnOfTheirOwn) {
  auto with_letters = status();
  with_letters["pools"].as_array().clear();
  with_letters["servers"].at(0).at("queue").as_object()["dead_letters"] = 3;
  with_letters["servers"].as_array().pop_back();
  EXPECT_THAT(
      report(with_letters, {}),
      testing::Contains("GEARMAND  CONNECTIONS  WAITING  DEAD LETTERS  RUNNING  OTHER WORKERS  STATE"));
  EXPECT_THAT(
      report(with_letters, {}),
      testing::Contains("one:4730          2/2      312             3       12              3  up for 60s"));
}

TEST(Report, AnEndpointThatHasHadNoJobIsNotUsedYet) {
  auto fresh = status();
  fresh["pools"].as_array().pop_back();
  fresh["pools"].at(0).at("endpoint").as_object()["state"] = "untried";
  EXPECT_THAT(report(fresh, {}), testing::Contains(HasSubstr("  not tried yet  http://e/")));
}

TEST(Report, AnUnknownPoolIsNamed) {
  EXPECT_EQ(unknown_pool(status(), "Regular"), std::nullopt);
  EXPECT_EQ(unknown_pool(status(), "Regluar"), "the daemon has no pool Regluar; did you mean \"Regular\"?");
  EXPECT_EQ(unknown_pool(status(), "x"), "the daemon has no pool x");
}

TEST(Report, HasALineForEachOfSeveralBackends) {
  auto one_away = status();
  auto& pools = one_away["pools"].as_array();
  pools[1].at("endpoint").as_object()["backends"] = boost::json::parse(R"json([
    {"name": "http://f/ (10.0.0.1)", "state": "up", "since": 900, "why": null, "weight": 1, "running": 3, "limit": 4,
     "attempts_per_second": 1.5, "failures_per_second": 0, "share": 0.75, "p95": 0.251},
    {"name": "http://f/ (10.0.0.2)", "state": "down", "since": 986, "why": "refused; a remark", "next_try": 1001.2, "weight": 2, "running": 0,
     "limit": 0, "attempts_per_second": null, "failures_per_second": null, "share": null, "p95": null}])json");
  pools.erase(pools.begin());
  const auto lines = report(one_away, {});
  EXPECT_THAT(
      std::vector<std::string>(lines.begin() + 3, lines.begin() + 7),
      ElementsAre(
          "POOL                    BUSY  JOBS/S  FAILED/S  P50    P95  P99  WAITING  ENDPOINT                "
          "      URI",
          "Ünïcode                  0/3       0         0    -      -    -        -  up, 1 of 2              "
          "      http://f/",
          "  http://f/ (10.0.0.1)   3/4    1.50         0       251ms                up                      "
          "      75% of "
          "the "
          "attempts",
          "  http://f/ (10.0.0.2)   0/0       -         -           -                down for 14s, next try "
          "in 2s  no "
          "attempts, "
          "weight 2: refused"));
  pools[0].at("endpoint").at("backends").as_array().pop_back();
  EXPECT_EQ(report(one_away, {}).size(), lines.size() - 2) << "one backend is the endpoint";
}

TEST(Report, ABackendOfWeight0IsNotCounted) {
  auto drained = status();
  auto& pools = drained["pools"].as_array();
  const auto backend = [](int weight, std::string_view state) {
    return boost::json::object{{"name", "b"},
                               {"state", state},
                               {"since", 900},
                               {"why", nullptr},
                               {"weight", weight},
                               {"running", 0},
                               {"limit", 0},
                               {"attempts_per_second", 0},
                               {"failures_per_second", 0},
                               {"share", 0},
                               {"p95", nullptr}};
  };
  pools[1].at("endpoint").as_object()["backends"] = {backend(1, "up"), backend(0, "down")};
  EXPECT_THAT(report(drained, {}), Not(testing::Contains(HasSubstr("1 of"))));
}

TEST(Report, ABackendThatDrainsIsShownAndNotCounted) {
  auto reloaded = status();
  auto& pools = reloaded["pools"].as_array();
  pools[1].at("endpoint").as_object()["backends"] = boost::json::parse(R"json([
    {"name": "http://f/", "state": "up", "since": 900, "why": null, "weight": 1, "running": 3, "limit": 4,
     "attempts_per_second": 1.5, "failures_per_second": 0, "share": 1, "p95": 0.251},
    {"name": "http://e/", "state": "draining", "since": 986, "why": null, "weight": 0, "running": 2,
     "limit": 0, "attempts_per_second": 0, "failures_per_second": 0, "share": 0, "p95": null}])json");
  pools.erase(pools.begin());
  const auto lines = report(reloaded, {});
  EXPECT_EQ(lines[4],
            "Ünïcode         0/3       0         0    -      -    -        -  up                http://f/");
  EXPECT_EQ(lines[6],
            "  http://e/  2 left       0         0           -                draining for 14s  0% of the "
            "attempts");
}

boost::json::object failures() {
  return boost::json::parse(R"({"at": 1000, "failures": [
    {"pool": "b", "function": "f", "handle": "H:x:9", "at": 990.5, "attempts": 3, "took": 0.25, "kind": "no answer", "reason": "no\nroom"},
    {"pool": "b", "function": "f", "handle": "H:x:1", "at": 910, "attempts": 1, "took": 2, "kind": "error answer", "reason": "oops"},
    {"pool": "a", "function": "g", "handle": "H:x:5", "at": 940, "attempts": 1, "took": 2, "kind": "refused", "reason": "busy"}]})")
      .as_object();
}

TEST(FailureLines, TheNewestIsTheLast) {
  EXPECT_THAT(failure_lines(failures(), "", {}),
              ElementsAre("AGO   POOL  FUNCTION  HANDLE  ATTEMPTS   TOOK          KIND  REASON",
                          "90s   b     f         H:x:1          1   2.0s  error answer  oops",
                          "60s   a     g         H:x:5          1   2.0s       refused  busy",
                          "9.5s  b     f         H:x:9          3  250ms     no answer  no\\x0aroom"));
}

TEST(FailureLines, AQuickFailureTookMoreThanNothing) {
  auto quick = failures();
  quick["failures"].as_array().resize(2);
  quick["failures"].at(0).at("took") = 0.000412;
  quick["failures"].at(1).at("took") = 0.000031;
  EXPECT_THAT(failure_lines(quick, "", {}),
              ElementsAre(HasSubstr("TOOK"), HasSubstr("  <0.1ms  "), HasSubstr("   0.4ms  ")));
}

TEST(FailureLines, WithFollowTheTimeOfDayIsShown) {
  ::setenv("TZ", "TEST-2", 1);  // two hours ahead of UTC
  ::tzset();
  std::optional<double> shown;
  EXPECT_THAT(failure_lines(failures(), "", {}, &shown),
              ElementsAre(testing::StartsWith("TIME "), testing::StartsWith("02:15:10  b "),
                          testing::StartsWith("02:15:40  a "), testing::StartsWith("02:16:30  b ")));
  EXPECT_EQ(shown, 990.5);
  EXPECT_THAT(failure_lines(failures(), "", {}, &shown), testing::IsEmpty()) << "they were shown";
  ::unsetenv("TZ");
  ::tzset();
}

TEST(FailureLines, WithFollowLaterFailuresHaveNoHead) {
  std::optional<double> shown = 930;
  EXPECT_THAT(failure_lines(failures(), "a", {}, &shown), ElementsAre(HasSubstr("busy")));
  EXPECT_EQ(shown, 940);
}

TEST(FailureLines, SaysSoIfThereIsNone) {
  EXPECT_THAT(failure_lines(failures(), "c", {}),
              ElementsAre("No job of pool c has failed since the daemon started."));
}

TEST(FailureLines, WithFollowTheHeadIsShownEvenWithoutFailures) {
  std::optional<double> shown;
  EXPECT_THAT(failure_lines(failures(), "c", {}, &shown), ElementsAre(HasSubstr("REASON")));
  EXPECT_THAT(failure_lines(failures(), "c", {}, &shown), ElementsAre());
  EXPECT_THAT(failure_lines(failures(), "a", {}, &shown), ElementsAre(HasSubstr("busy")));
}

TEST(JobLines, OfOnePoolOrOfAll) {
  const auto answer = boost::json::parse(R"({"at": 1, "running": 300, "jobs": [
    {"pool": "a", "function": "f", "server": "s:1", "handle": "H:x:1", "attempt": 1, "age": 30, "time_left": 70, "state": "posted", "backend": "http://b/"},
    {"pool": "b", "function": "g", "server": "s:1", "handle": "H:x:2", "attempt": 2, "age": 0.5, "time_left": null, "state": "held"}
    ]})")
                          .as_object();
  EXPECT_THAT(job_lines(answer, "", {}),
              ElementsAre(HasSubstr("TIME LEFT"), HasSubstr("http://b/"), HasSubstr("held"),
                          "300 jobs run; of each pool the oldest are listed"));
  EXPECT_THAT(job_lines(answer, "b", {}),
              ElementsAre(HasSubstr("TIME LEFT"), HasSubstr("H:x:2"), HasSubstr("300")));
  EXPECT_THAT(job_lines(answer, "c", {}), ElementsAre("No job of pool c runs."));
}

TEST(JobLines, WithFollowAJobIsShownOnce) {
  const auto answer = [](int attempt) {
    boost::json::object job{{"pool", "a"},        {"function", "f"}, {"server", "s:1"}, {"handle", "H:x:1"},
                            {"attempt", attempt}, {"age", 1},        {"time_left", 70}, {"state", "running"}};
    boost::json::array jobs;
    if (attempt > 0) jobs.push_back(job);
    return boost::json::object{{"at", 1}, {"running", jobs.size()}, {"jobs", jobs}};
  };
  std::optional<SeenJobs> seen;
  EXPECT_THAT(job_lines(answer(0), "", {}, &seen), ElementsAre(HasSubstr("TIME LEFT"))) << "the head at once";
  EXPECT_THAT(job_lines(answer(1), "", {}, &seen), ElementsAre(HasSubstr("H:x:1")));
  EXPECT_THAT(job_lines(answer(1), "", {}, &seen), ElementsAre());
  EXPECT_THAT(job_lines(answer(2), "", {}, &seen), ElementsAre()) << "its next attempt";
  EXPECT_THAT(job_lines(answer(0), "", {}, &seen), ElementsAre());
}

TEST(Report, WithoutReasonsThereIsNoColumnForThem) {
  auto healthy = status();
  healthy["servers"].as_array().pop_back();
  EXPECT_THAT(report(healthy, {}), testing::Contains(testing::EndsWith("OTHER WORKERS  STATE")));
}

TEST(Report, APoolThatDrainsHasNoSlots) {
  auto draining = status();
  auto& pool = draining["pools"].as_array()[0].as_object();
  pool["state"] = "draining";
  pool["slots"] = 0;
  EXPECT_THAT(report(draining, {})[4], testing::StartsWith("Regular  12, draining "));
}

TEST(Report, IfSomeQueuesAreUnknownTheJobsInTheOthersAreShown) {
  auto partly = status();
  auto& pool = partly["pools"].as_array()[0].as_object();
  pool["queued"] = nullptr;
  pool["queued_known"].as_object()["servers"] = 1;
  EXPECT_THAT(report(partly, {})[4], HasSubstr("  312 at 1 of 2  down"));
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

TEST(Report, TheTitle) {
  EXPECT_EQ(title(status(), "h:8888", {}), "driveshaft 1.0.0 on h (h:8888), up for 2min");
  EXPECT_EQ(title(status(), "h:8888", {.color = false, .width = 12}), "driveshaft …");
}

TEST(Report, RejectsATextThatIsNoStatus) {
  EXPECT_TRUE(parse_status(R"({"well":true})"));
  for (const char* text : {"", "{", "[]", "{}", "<html>"}) EXPECT_FALSE(parse_status(text)) << text;
}

}  // namespace
}  // namespace driveshaft::cli
