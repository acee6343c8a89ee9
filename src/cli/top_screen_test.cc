// SPDX-License-Identifier: MIT
#include "cli/top_screen.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

namespace driveshaft::cli {
namespace {

namespace json = boost::json;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using List = TopState::List;
using Name = Key::Name;

json::object pool(std::string_view name, std::string_view state = "up") {
  return json::parse(
             fmt::format(
                 R"({{"name": "{}", "state": "running", "slots": 12, "busy": 3, "jobs_per_second": 74.83,
        "failures_per_second": 0, "p50": 0.0588, "p95": 0.251, "p99": 7.86, "queued": 312,
        "queued_known": {{"jobs": 312, "servers": 2, "of": 2}},
        "endpoint": {{"uri": "http://{}.example.org/job.php", "state": "{}", "why": {}, "held": 0}}}})",
                 name, name, state, state == "down" ? "\"Connection refused\"" : "null"))
      .as_object();
}

json::object server(std::string_view address, bool up = true) {
  return json::parse(fmt::format(
                         R"({{"address": "{}", "state": "{}", "since": 940, "why": {},
        "connections": {{"up": 2, "wanted": 2}}, "queue": {{"queued": 312, "running": 12, "other_workers": 3}}}})",
                         address, up ? "up" : "down", up ? "null" : "\"cannot connect: Connection refused\""))
      .as_object();
}

json::object problem(std::string_view pool, std::string_view level = "bad") {
  return {{"level", level},
          {"pool", pool},
          {"server", nullptr},
          {"text", fmt::format("{}: endpoint down", pool)}};
}

std::string pool_name(int i) { return fmt::format("pool-{:02}", i); }

// A status of 50 pools, of which the last twelve are down, and two servers, of which the second is down.
TopNews many() {
  json::object status{
      {"at", 1000}, {"well", false}, {"summary", "pool-39: endpoint down (and 11 more problems)."}};
  status["daemon"] = {{"version", "1.0.0"}, {"host", "h"}, {"started_at", 880}, {"state", "running"}};
  auto& pools = status["pools"].emplace_array();
  auto& problems = status["problems"].emplace_array();
  for (int i = 1; i <= 50; ++i) {
    pools.push_back(pool(pool_name(i), i > 38 ? "down" : "up"));
    if (i > 38) problems.push_back(problem(pool_name(i)));
  }
  status["servers"] = json::array{server("one:4730"), server("two:4730", false)};
  TopNews news;
  news.address = "h:8888";
  note_trends(news.trends, status);
  news.status = std::move(status);
  return news;
}

std::vector<std::string> screen(const TopNews& news, TopState state = {}, Size size = {24, 80}) {
  return top_screen(news, state, size, false);
}

std::vector<std::string> after(const TopNews& news, TopState& state, const std::vector<Key>& keys) {
  auto lines = top_screen(news, state, {24, 80}, false);
  for (const auto& key : keys) {
    press(state, key);
    lines = top_screen(news, state, {24, 80}, false);
  }
  return lines;
}

std::vector<Key> typed(std::string_view text) {
  std::vector<Key> keys;
  for (const char c : text) keys.push_back({Name::character, std::string(1, c)});
  return keys;
}

// The first word of each line of a pool.
std::vector<std::string> pools_of(const std::vector<std::string>& lines) {
  std::vector<std::string> pools;
  for (const auto& line : lines) {
    if (line.starts_with("pool-") && line.find(':') > 10) pools.push_back(line.substr(0, 7));
  }
  return pools;
}

TEST(TopScreen, ShowsFiftyPoolsInA24By80Terminal) {
  EXPECT_THAT(screen(many()),
              ElementsAre("driveshaft 1.0.0 on h (h:8888), up for 2min",  //
                          "pool-39: endpoint down (and 11 more problems).",
                          "- bad: pool-40: endpoint down",  //
                          "- bad: pool-41: endpoint down",  //
                          "- bad: pool-42: endpoint down",  //
                          "8 more",                         //
                          "",                               //
                          "POOL     BUSY  JOBS/S  FAILED/S     P50    P95   P99  WAITING  ENDPOINT",
                          "pool-39  3/12    74.8         0  58.8ms  251ms  7.9s      312  down",
                          "pool-40  3/12    74.8         0  58.8ms  251ms  7.9s      312  down",
                          "pool-41  3/12    74.8         0  58.8ms  251ms  7.9s      312  down",
                          "pool-42  3/12    74.8         0  58.8ms  251ms  7.9s      312  down",
                          "pool-43  3/12    74.8         0  58.8ms  251ms  7.9s      312  down",
                          "pool-44  3/12    74.8         0  58.8ms  251ms  7.9s      312  down",
                          "pool-45  3/12    74.8         0  58.8ms  251ms  7.9s      312  down",
                          "pool-46  3/12    74.8         0  58.8ms  251ms  7.9s      312  down",  //
                          "pool-47  3/12    74.8         0  58.8ms  251ms  7.9s      312  down",
                          "41 more",  //
                          "",         //
                          "GEARMAND  CONNECTIONS  WAITING  RUNNING  OTHER WORKERS  STATE",
                          "two:4730          2/2      312       12              3  down for 60s",
                          "one:4730          2/2      312       12              3  up for 60s",
                          "q quit  / filter  Tab servers  ↑ ↓ PgUp PgDn Home End",
                          "sort: t trouble n name b busy f failed w waiting"));
}

TEST(TopScreen, BackendsAreShownWhenTheirKeyIsPressed) {
  TopNews news = many();
  auto& pools = news.status->at("pools").as_array();
  pools[0].at("endpoint").as_object()["backends"] = json::parse(R"([
    {"name": "http://10.0.0.1/job.php", "state": "up", "since": 900, "why": null, "weight": 1, "running": 3, "limit": 4,
     "attempts_per_second": 1.5, "failures_per_second": 0, "share": 0.75, "p95": 0.251},
    {"name": "http://10.0.0.2/job.php", "state": "failing", "since": 986, "why": "4 of 4", "weight": 1, "running": 0,
     "limit": 0, "attempts_per_second": 0.5, "failures_per_second": 0.5, "share": 0.25, "p95": null}])");
  news.status->at("problems").as_array().clear();
  pools.erase(pools.begin() + 1, pools.end());
  TopState state;
  EXPECT_THAT(after(news, state, {}),
              AllOf(Not(Contains(HasSubstr("10.0.0"))), Contains(HasSubstr("up, 1 of 2")),
                    Contains("q quit  / filter  Tab servers  e backends  ↑ ↓ PgUp PgDn Home End")));
  EXPECT_THAT(
      after(news, state, typed("e")),
      AllOf(Contains("  http://10.…0.2/job.php   0/0    0.50      0.50                 failing for 14s"),
            Contains("q quit  / filter  Tab servers  e endpoints only  ↑ ↓ PgUp PgDn Home End")));
  state.filter = "10.0.0.2";
  EXPECT_THAT(pools_of(after(news, state, {})), ElementsAre("pool-01")) << "by the name of a backend";
}

TEST(TopScreen, FitsEveryTerminalAndKeepsTheStates) {
  TopNews news = many();
  auto& pools = news.status->at("pools").as_array();
  pools[49].as_object()["name"] = std::string(100, 'x') + "-the-last";
  for (const auto& text : {"problems", "summary"}) {
    if (text == std::string("summary")) (*news.status)[text] = std::string(300, 'y') + " z";
  }
  for (const std::size_t rows : {1, 2, 5, 8, 10, 12, 16, 24, 60, 200}) {
    for (const std::size_t columns_of_it : {1, 20, 40, 60, 80, 120, 200}) {
      for (const auto list : {List::pools, List::servers, List::problems}) {
        TopState state;
        state.list = list;
        const auto lines = top_screen(news, state, {rows, columns_of_it}, false);
        ASSERT_EQ(lines.size(), rows);
        for (const auto& line : lines) EXPECT_LE(columns(line), columns_of_it) << line;
        if (rows < 16 || columns_of_it < 60) continue;
        EXPECT_THAT(lines, Contains(AllOf(StartsWith("POOL"), HasSubstr("BUSY"), HasSubstr("ENDPOINT"))));
        EXPECT_THAT(lines, Contains(AllOf(StartsWith("pool-39"), HasSubstr("down"))));
        EXPECT_THAT(lines, Contains(AllOf(StartsWith("two:4730"), HasSubstr("down for 60s"))));
      }
    }
  }
}

TEST(TopScreen, ColumnsAreLeftOutInTheOrderOfTheDocs) {
  TopNews news = many();
  news.status->at("pools").as_array()[49].as_object()["name"] = "a-pool-with-a-very-long-name-number-50";
  const auto head = [&](std::size_t width) {
    for (const auto& line : screen(news, {}, {24, width})) {
      if (!line.starts_with("POOL")) continue;
      std::string words;
      for (const char c : line) {
        if (c != ' ' || !words.ends_with(' ')) words += c;
      }
      return words;
    }
    return std::string();
  };
  EXPECT_EQ(head(200), "POOL BUSY JOBS/S FAILED/S P50 P95 P99 WAITING JOBS/S, LAST 30 S ENDPOINT URI");
  EXPECT_EQ(head(120), "POOL BUSY JOBS/S FAILED/S P50 P95 P99 WAITING ENDPOINT URI");
  EXPECT_EQ(head(100), "POOL BUSY JOBS/S FAILED/S P50 P95 P99 WAITING ENDPOINT");
  EXPECT_EQ(head(80), "POOL BUSY JOBS/S FAILED/S P95 P99 WAITING ENDPOINT");
  EXPECT_EQ(head(70), "POOL BUSY JOBS/S FAILED/S P99 WAITING ENDPOINT");
  EXPECT_EQ(head(60), "POOL BUSY FAILED/S WAITING ENDPOINT");
  EXPECT_EQ(head(50), "POOL BUSY FAILED/S ENDPOINT");
  EXPECT_EQ(head(40), "POOL BUSY ENDPOINT");
  EXPECT_THAT(screen(news, {}, {60, 60}), Contains(StartsWith("a-pool-with-…me-number-50  3/12")));
}

TEST(TopScreen, Scrolls) {
  const TopNews news = many();
  TopState state;
  EXPECT_THAT(after(news, state, {{Name::down}}),
              AllOf(Contains("1 more above, 40 more below"), Contains(StartsWith("pool-48")),
                    Not(Contains(StartsWith("pool-39 ")))));
  EXPECT_THAT(after(news, state, {{Name::page_down}}), Contains("10 more above, 31 more below"));
  const auto end = after(news, state, {{Name::end}});
  EXPECT_THAT(end, AllOf(Contains("41 more above"), Contains(StartsWith("pool-38"))));
  EXPECT_EQ(state.first, 41U) << "it stays within the list";
  EXPECT_THAT(after(news, state, {{Name::up}}), Contains("40 more above, 1 more below"));
  EXPECT_THAT(after(news, state, {{Name::home}}), Contains("41 more"));
}

TEST(TopScreen, Filters) {
  const TopNews news = many();
  TopState state;
  EXPECT_THAT(after(news, state, typed("/OL-4")), AllOf(Contains("10 of 50 pools have \"OL-4\""),
                                                        Contains("/OL-4▏ Enter: keep, Esc: all pools")));
  EXPECT_THAT(after(news, state, {{Name::enter}}),
              AllOf(Contains("1 more; 10 of 50 pools have \"OL-4\""), Contains(HasSubstr("Esc all"))));
  after(news, state, {{Name::escape}});
  EXPECT_THAT(pools_of(after(news, state, typed("/17.example"))), ElementsAre("pool-17"))
      << "addresses count";
  after(news, state, {{Name::escape}});
  EXPECT_THAT(after(news, state, typed("/nothing")), Contains("0 of 50 pools have \"nothing\""));
  EXPECT_THAT(after(news, state, {{Name::escape}}), Contains("41 more"));
}

TEST(TopScreen, SortsAndMarksTheColumn) {
  TopNews news = many();
  auto& pools = news.status->at("pools").as_array();
  pools[4].as_object()["busy"] = 11;
  pools[5].as_object()["failures_per_second"] = 2;
  pools[6].as_object()["queued_known"].as_object()["jobs"] = 400;
  TopState state;
  const auto first = [&](std::string_view key, std::string_view head) {
    const auto lines = after(news, state, typed(key));
    EXPECT_THAT(lines, Contains(HasSubstr(head)));
    return pools_of(lines).at(0);
  };
  EXPECT_EQ(first("n", "POOL▲"), "pool-01");
  EXPECT_EQ(first("b", "BUSY▼"), "pool-05");
  EXPECT_EQ(first("f", "FAILED/S▼"), "pool-06");
  EXPECT_EQ(first("w", "WAITING▼"), "pool-07");
  EXPECT_EQ(first("t", "POOL "), "pool-39");
}

TEST(TopScreen, APoolWithAWarningComesAfterThoseThatAreDown) {
  TopNews news = many();
  news.status->at("problems").as_array().push_back(problem("pool-20", "warning"));
  TopState state;
  const auto lines = top_screen(news, state, {70, 80}, false);
  const auto pools = pools_of(lines);
  EXPECT_EQ(pools.at(11), "pool-50");
  EXPECT_EQ(pools.at(12), "pool-20");
  EXPECT_EQ(pools.at(13), "pool-01");
}

TEST(TopScreen, TabGivesServersAndProblemsTheRoom) {
  TopNews news = many();
  auto& servers = news.status->at("servers").as_array();
  for (int i = 3; i <= 20; ++i) servers.push_back(server(fmt::format("server-{}:4730", i)));
  TopState state;
  auto lines = after(news, state, {{Name::tab}});
  EXPECT_THAT(lines, AllOf(Contains("14 more"), Contains("46 more"), Contains(HasSubstr("Tab problems"))));
  lines = after(news, state, {{Name::end}});
  EXPECT_THAT(lines, Contains(StartsWith("server-20:4730")));
  lines = after(news, state, {{Name::tab}});
  EXPECT_THAT(lines, Contains("- bad: pool-39: endpoint down")) << "the first one too, whole";
  EXPECT_THAT(after(news, state, {{Name::end}}), Contains("- bad: pool-50: endpoint down"));
}

TEST(TopScreen, SaysWhyTheDaemonDoesNotAnswer) {
  TopNews news = many();
  news.lost = "cannot connect to http://h:8888: Connection refused";
  EXPECT_THAT(screen(news), AllOf(Contains("LOST: cannot connect to http://h:8888: Connection refused"),
                                  Contains("What follows is old; trying again every second."),
                                  Contains(StartsWith("pool-39"))));
  news.status.reset();
  EXPECT_THAT(screen(news), AllOf(Contains("Trying again every second."), Contains(HasSubstr("q quit"))));
  news.lost.clear();
  EXPECT_EQ(screen(news).front(), "Asking h:8888 …");
}

TEST(TopScreen, WhatComesOverTheNetworkOrIsTypedIsEscaped) {
  TopNews news = many();
  news.status->at("pools").as_array()[0].as_object()["name"] = "pool\x1b]0;title\x07";
  TopState state;
  state.filter = "\x1b[2J";
  for (const bool typing : {false, true}) {
    state.is_typing = typing;
    EXPECT_THAT(top_screen(news, state, {24, 80}, false), Each(Not(HasSubstr("\x1b"))));
  }
  state.filter = "title";
  EXPECT_THAT(top_screen(news, state, {24, 80}, false), Contains(HasSubstr("pool\\x1b]0;title\\x07")));
}

TEST(TopScreen, ColorsOnlyIfAsked) {
  TopState state;
  EXPECT_THAT(fmt::format("{}", fmt::join(top_screen(many(), state, {24, 80}, true), "\n")),
              HasSubstr("\x1b[31mdown"));
  EXPECT_THAT(screen(many()), Each(Not(HasSubstr("\x1b"))));
}

TEST(TopScreen, Trends) {
  TopNews news = many();
  for (int i = 0; i < 40; ++i) {
    news.status->at("pools").as_array()[0].as_object()["jobs_per_second"] = i;
    note_trends(news.trends, *news.status);
  }
  EXPECT_EQ(news.trends["pool-01"].size(), kTrendLength);
  EXPECT_THAT(screen(news, {}, {70, 200}), Contains(AllOf(StartsWith("pool-01"), HasSubstr("▇█"))));
}

}  // namespace
}  // namespace driveshaft::cli
