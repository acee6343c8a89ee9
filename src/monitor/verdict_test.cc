// SPDX-License-Identifier: MIT
#include "monitor/verdict.h"

#include <gmock/gmock.h>

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using dispatch::EndpointStatus;
using testing::ElementsAre;
using testing::HasSubstr;

// A daemon with one pool and one server, both well, and a view of it.
class Daemon {
 public:
  Daemon() {
    pool.settings.name = "Regular";
    pool.settings.worker_count = 4;
    pool.settings.jobs_list = {"f"};
    pool.settings.endpoint = *net::parse_uri("http://shop.example/job.php");
    pool.links = {link("one:4730", true)};
    config.servers = {{"one", 4730}};
    config.pools = {pool.settings};
    queues["one:4730"] = {.known = true, .why = {}, .at = {}, .functions = {{"f", {0, 0, 1}}}, .all = {}};
    snapshot.at = SteadyTime(1h);
  }

  dispatch::LinkStatus link(const std::string& server, bool connected) const {
    return {*net::parse_address(server, 4730), connected, SteadyTime(1h) - 14s,
            connected ? "" : "cannot connect: Connection refused"};
  }

  void second(std::uint64_t completed, std::uint64_t failed, std::uint64_t refused = 0) {
    pool.tally.outcomes.completed += completed;
    pool.tally.outcomes.refused += refused;
    pool.tally.outcomes.failed += failed;
    histories["Regular"].add(SteadyTime(passed), WallTime(passed), pool,
                             queues["one:4730"].functions["f"].queued);
    passed += 1s;
  }

  Verdict verdict() {
    snapshot.config.in_force = std::make_shared<const config::Config>(config);
    snapshot.pools = {pool};
    snapshot.pools.insert(snapshot.pools.end(), others.begin(), others.end());
    return judge(View{about, snapshot, silent, histories, backends, queues});
  }

  std::vector<std::string> problems() {
    std::vector<std::string> texts;
    for (const auto& problem : verdict().problems) texts.push_back(problem.text);
    return texts;
  }

  About about;
  Snapshot snapshot;
  config::Config config;
  dispatch::PoolStatus pool;
  std::vector<dispatch::PoolStatus> others;
  std::chrono::nanoseconds silent{0};
  std::chrono::seconds passed{0};
  std::map<std::string, History> histories;
  std::map<std::string, BackendHistories> backends;
  std::map<std::string, QueueReport> queues;
};

TEST(Verdict, AllIsWell) {
  Daemon daemon;
  EXPECT_TRUE(daemon.verdict().well());
  EXPECT_EQ(daemon.verdict().summary,
            "All is well: 1 pool, 0 of 4 slots busy, 0.0 jobs a second, no job waits.");
  daemon.queues["one:4730"].functions["f"].queued = 1;
  daemon.queues["one:4730"].dead_letters = 1;
  EXPECT_THAT(daemon.verdict().summary, HasSubstr(", 1 job waits, gearmand keeps 1 dead letter."));
}

TEST(Verdict, AnEndpointThatIsDownIsShownWithItsConsequences) {
  Daemon daemon;
  daemon.second(0, 0);
  daemon.second(10, 30);
  daemon.pool.endpoint = {EndpointStatus::State::down, SteadyTime(1h) - 14s,
                          "cannot connect: Connection refused"};
  daemon.queues["one:4730"].functions["f"].queued = 312;
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre("Regular: http://shop.example/job.php has been down for 14 s (30 jobs failed in "
                  "the last minute; 312 jobs wait in the queue): cannot connect: Connection refused"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::bad);
  EXPECT_EQ(daemon.verdict().problems.front().pool, "Regular");
}

TEST(Verdict, IfAQueueIsUnknownTheJobsAtTheOtherServersAreCounted) {
  Daemon daemon;
  daemon.config.servers.push_back({{"two", 4730}});
  daemon.queues["one:4730"].functions["f"].queued = 312;
  daemon.pool.endpoint = {EndpointStatus::State::down, SteadyTime(1h) - 14s, "refused"};
  EXPECT_THAT(daemon.problems(),
              ElementsAre(HasSubstr("for 14 s (312 jobs wait at 1 of 2 servers): refused")));
}

TEST(Verdict, JobsThatAreHeldAreCounted) {
  Daemon daemon;
  daemon.pool.endpoint = {EndpointStatus::State::paused, SteadyTime(1h) - 2s, "it asks to wait 30 s", 1};
  EXPECT_THAT(daemon.problems(), ElementsAre("Regular: http://shop.example/job.php has been "
                                             "paused for 2 s (1 job is held): it asks to wait 30 s"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::warning);
  daemon.pool.endpoint.state = EndpointStatus::State::down;
  daemon.pool.endpoint.held = 3;
  EXPECT_THAT(daemon.verdict().summary, HasSubstr(" has been down for 2 s (3 jobs are held): it asks"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::bad);
}

TEST(Verdict, AnEndpointOfFunctionsIsJudgedAsThePoolsOwn) {
  Daemon daemon;
  const SteadyTime since(1h - 9s);
  daemon.pool.settings.jobs_list = {"f", "g"};
  daemon.queues["one:4730"].functions["f"].queued = 7;
  daemon.queues["one:4730"].functions["g"].queued = 1;
  daemon.pool.function_endpoints = {
      {"http://r/", {EndpointStatus::State::down, since, "refused", 2}, {"g"}},
      {"http://s/", {EndpointStatus::State::paused, since, "it asks to wait"}, {"h"}}};
  EXPECT_THAT(daemon.problems(),
              ElementsAre("Regular: http://r/ has been down for 9 s (2 jobs are held; 1 job waits in the "
                          "queue): refused",
                          "Regular: http://s/ has been paused for 9 s: it asks to wait"));
  daemon.pool.endpoint = {EndpointStatus::State::down, since, "refused"};
  EXPECT_THAT(daemon.problems(), testing::Contains("Regular: http://shop.example/job.php has been "
                                                   "down for 9 s (7 jobs wait in the queue): refused"));
}

TEST(Verdict, AnOpenBreakerIsBad) {
  Daemon daemon;
  daemon.pool.breakers = {{{"f"}, SteadyTime(1h) - 14s, 20, 20}};
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre("Regular: 20 of 20 attempts failed: its breaker is open, for 14 s, and one job at a "
                  "time is sent"));
  EXPECT_FALSE(daemon.verdict().well());
  daemon.pool.settings.jobs_list = {"f", "g"};
  EXPECT_THAT(daemon.problems(), ElementsAre(HasSubstr("20 of 20 attempts at f failed")));
}

dispatch::BackendStatus backend(const std::string& name, dispatch::BackendStatus::State state) {
  dispatch::BackendStatus status;
  status.name = name;
  status.state = state;
  status.since = SteadyTime(1h) - 14s;
  status.why = "refused";
  return status;
}

TEST(Verdict, BackendsThatDoNotWorkWhileOthersDoAreAWarning) {
  using enum dispatch::BackendStatus::State;
  Daemon daemon;
  daemon.pool.endpoint.state = EndpointStatus::State::up;
  daemon.pool.endpoint.backends = {backend("http://a/", up), backend("http://b/", failing)};
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre("Regular: 1 of 2 backends does not work: http://b/ has been failing for 14 s: refused; "
                  "jobs go to the others; see the error log of its host, and if a backend "
                  "stays away, give it the weight 0"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::warning);
  EXPECT_EQ(daemon.verdict().problems.front().pool, "Regular");
  daemon.pool.function_endpoints = {{"http://c/", {}, {"g"}}};
  EXPECT_THAT(daemon.problems(),
              ElementsAre(HasSubstr("Regular: endpoint http://shop.example/job.php: 1 of 2 backends does")));
  daemon.pool.endpoint.backends[1].suspected = true;
  EXPECT_TRUE(daemon.verdict().well()) << "a single job failed";
  daemon.pool.endpoint.backends[1].suspected = false;
  daemon.pool.endpoint.backends[1].weight = 0;
  EXPECT_TRUE(daemon.verdict().well()) << "it is given no jobs, as the jobs file says";
  daemon.pool.endpoint.backends[0].weight = 0;
  EXPECT_THAT(daemon.problems(), ElementsAre(HasSubstr("no job is taken, as each backend has the weight 0")));
}

TEST(Verdict, AnEndpointWithoutAWorkingBackendIsOneBadProblem) {
  using enum dispatch::BackendStatus::State;
  Daemon daemon;
  daemon.pool.endpoint = {EndpointStatus::State::down, SteadyTime(1h) - 14s, "refused", 3};
  daemon.pool.endpoint.backends = {backend("http://a/", down), backend("http://b/", paused)};
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre("Regular: none of its 2 backends works (3 jobs are held): http://a/ has been down for "
                  "14 s: refused; http://b/ has been paused for 14 s: refused"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::bad);
  daemon.pool.endpoint.backends.pop_back();
  EXPECT_THAT(daemon.problems(), ElementsAre("Regular: http://shop.example/job.php has been "
                                             "down for 14 s (3 jobs are held): refused"))
      << "the only one is the endpoint";
}

TEST(Verdict, SaysWhenAnEndpointThatIsDownIsTriedNext) {
  using enum dispatch::BackendStatus::State;
  Daemon daemon;
  daemon.pool.endpoint = {EndpointStatus::State::down, SteadyTime(1h) - 14s, "refused", 3};
  daemon.pool.endpoint.next_try = SteadyTime(1h) + 1200ms;
  EXPECT_THAT(daemon.problems(),
              ElementsAre("Regular: http://shop.example/job.php has been down for 14 s (next try in "
                          "2 s; 3 jobs are held): refused"));
  daemon.pool.endpoint.backends = {backend("http://a/", down), backend("http://b/", paused)};
  daemon.pool.endpoint.backends[0].next_try = SteadyTime(1h) - 10ms;
  daemon.pool.endpoint.backends[1].next_try = SteadyTime(1h) + 5min;
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre("Regular: none of its 2 backends works (3 jobs are held): http://a/ has been down for "
                  "14 s (next try in 1 s): refused; http://b/ has been paused for 14 s (next try in "
                  "5 min): refused"));
}

TEST(Verdict, ABackendThatDrainsIsNotCounted) {
  using enum dispatch::BackendStatus::State;
  Daemon daemon;
  auto leaving = backend("http://b/", draining);
  leaving.weight = 0;
  daemon.pool.endpoint.state = EndpointStatus::State::up;
  daemon.pool.endpoint.backends = {backend("http://a/", up), leaving};
  EXPECT_TRUE(daemon.verdict().well());
  daemon.pool.endpoint = {EndpointStatus::State::down, SteadyTime(1h) - 14s, "refused"};
  daemon.pool.endpoint.backends = {backend("http://a/", down), leaving};
  EXPECT_THAT(daemon.problems(),
              ElementsAre(HasSubstr("Regular: http://shop.example/job.php has been down for 14 s: refused")));
}

TEST(Verdict, ThreeBackendsAreNamedAndTheOthersCounted) {
  using enum dispatch::BackendStatus::State;
  Daemon daemon;
  daemon.pool.endpoint.state = EndpointStatus::State::up;
  for (const char* name : {"a", "b", "c", "d", "e"})
    daemon.pool.endpoint.backends.push_back(backend(name, down));
  daemon.pool.endpoint.backends.push_back(backend("f", untried));
  EXPECT_THAT(daemon.problems(),
              ElementsAre(HasSubstr(": 5 of 6 backends do not work: a has been down for 14 s: refused; b has "
                                    "been down for 14 s: refused; c has been down for 14 s: refused; and 2 "
                                    "more; jobs go")));
}

TEST(Verdict, AFullEndpointIsAWarningThatNamesTheSettings) {
  Daemon daemon;
  daemon.pool.endpoint.full = true;
  daemon.pool.endpoint.limit = 2;
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre("Regular: endpoint http://shop.example/job.php is full: it takes no more than 2 jobs "
                  "at once; raise pm.max_children of php-fpm or its listen backlog, or lower "
                  "worker_count (4)"));
}

TEST(Verdict, FailuresCountAboveOneInTwenty) {
  Daemon daemon;
  daemon.second(0, 0);
  daemon.second(95, 5);
  EXPECT_TRUE(daemon.verdict().well());
  daemon.second(0, 1);
  EXPECT_THAT(daemon.problems(), ElementsAre(HasSubstr("Regular: 6 of 101 jobs failed in the last minute")));
}

TEST(Verdict, AJobThatTheEndpointRefusesHasFailed) {
  Daemon daemon;
  daemon.about.exporter = " :9999";
  daemon.second(0, 0);
  daemon.second(0, 0, 40);
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre("Regular: 40 of 40 jobs failed in the last minute, refused by the endpoint; "
                  "`driveshaft failures :9999` lists them; with \"breaker\": true one job at a time would be "
                  "sent while they fail"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::bad);
  daemon.second(0, 2);
  EXPECT_THAT(daemon.problems(), ElementsAre(HasSubstr("42 of 42 jobs failed in the last minute, 40 of them "
                                                       "refused by the endpoint; ")));
}

std::shared_ptr<const dispatch::FailedJob> failed_20_s_before(WallTime now) {
  dispatch::FailedJob failure;
  failure.at = now - 20s;
  failure.reason = "HTTP status 404";
  return std::make_shared<const dispatch::FailedJob>(failure);
}

TEST(Verdict, WithFewJobsTheLastFailureIsMentioned) {
  Daemon daemon;
  daemon.snapshot.wall = WallTime(1h);
  daemon.second(0, 0);
  daemon.second(1, 8);
  daemon.pool.last_failure = failed_20_s_before(daemon.snapshot.wall);
  EXPECT_TRUE(daemon.verdict().well());
  EXPECT_THAT(daemon.verdict().summary,
              testing::AllOf(testing::StartsWith("All is well: "),
                             HasSubstr("; the last failed job was one of Regular, 20 s ago.")));
  daemon.snapshot.wall += 15min;
  EXPECT_THAT(daemon.verdict().summary, testing::Not(HasSubstr("failed")));
}

TEST(Verdict, IfTheFewLastJobsFailedTheSummaryIsNotThatAllIsWell) {
  Daemon daemon;
  daemon.about.exporter = " :9999";
  daemon.snapshot.wall = WallTime(1h);
  daemon.second(0, 0);
  daemon.second(0, 4);
  daemon.pool.last_failure = failed_20_s_before(daemon.snapshot.wall);
  daemon.pool.failures_in_a_row = 4;
  EXPECT_TRUE(daemon.verdict().well()) << "a quiet pool does not alarm anybody";
  EXPECT_TRUE(daemon.verdict().is_note);
  EXPECT_EQ(
      daemon.verdict().summary,
      "Regular: the last 4 jobs failed; the last of them, 20 s ago: HTTP status 404; `driveshaft failures "
      ":9999` lists them; 1 pool, 0 of 4 slots busy, 4.0 jobs a second, no job waits.");
  daemon.pool.failures_in_a_row = 1;
  EXPECT_THAT(daemon.verdict().summary,
              testing::StartsWith("Regular: the last job failed, 20 s ago: HTTP status 404; `driveshaft "
                                  "failures :9999` lists it; 1 pool, "));
  daemon.snapshot.wall += 15min;
  EXPECT_THAT(daemon.verdict().summary, testing::StartsWith("All is well: "));
  EXPECT_FALSE(daemon.verdict().is_note);
}

TEST(Verdict, IfTheLastJobsOfSeveralPoolsFailedTheWorstPoolIsNamed) {
  Daemon daemon;
  daemon.snapshot.wall = WallTime(1h);
  daemon.pool.last_failure = failed_20_s_before(daemon.snapshot.wall);
  daemon.pool.failures_in_a_row = 1;
  auto other = daemon.pool;
  other.settings.name = "Other";
  other.failures_in_a_row = 3;
  daemon.others = {other};
  EXPECT_THAT(
      daemon.verdict().summary,
      testing::MatchesRegex("Other: the last 3 jobs failed; .* \\(and 1 more such pool\\); 2 pools, .*"));
}

TEST(Verdict, OneFailedJobAfterManyOthersIsOnlyMentioned) {
  Daemon daemon;
  daemon.snapshot.wall = WallTime(1h);
  daemon.second(0, 0);
  daemon.second(99, 1);
  daemon.pool.last_failure = failed_20_s_before(daemon.snapshot.wall);
  daemon.pool.failures_in_a_row = 1;
  EXPECT_THAT(daemon.verdict().summary, testing::StartsWith("All is well: "));
}

TEST(Verdict, SeveralFailuresInARowAreBadHoweverFewJobsThereAre) {
  Daemon daemon;
  daemon.snapshot.wall = WallTime(1h);
  dispatch::FailedJob failure;
  failure.at = WallTime(1h - 40min);
  failure.reason = "no database" + std::string(1000, '.');
  daemon.pool.last_failure = std::make_shared<const dispatch::FailedJob>(failure);
  daemon.pool.failures_in_a_row = 5;
  EXPECT_THAT(daemon.problems(),
              ElementsAre(testing::MatchesRegex(
                  "Regular: the last 5 jobs failed; the last of them, 40 min ago: no database\\.+… "
                  "\\(1011 bytes\\); `driveshaft failures` lists them")));
}

TEST(Verdict, PoolsWithoutSlotsTakeNoJobsYet) {
  Daemon daemon;
  daemon.about.jobs_file = "/etc/driveshaft/jobs.json";
  daemon.pool.settings.worker_count = 0;
  daemon.pool.links.clear();
  EXPECT_THAT(daemon.problems(),
              ElementsAre("no pool takes jobs yet: set worker_count in /etc/driveshaft/jobs.json"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::warning);
}

TEST(Verdict, NoServerIsBadAndOneOfTwoAWarning) {
  Daemon daemon;
  daemon.pool.links = {daemon.link("one:4730", false), daemon.link("two:4730", true)};
  EXPECT_THAT(daemon.problems(),
              ElementsAre("gearmand one:4730: cannot connect: Connection refused, for 14 s"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::warning);
  EXPECT_EQ(daemon.verdict().problems.front().server, "one:4730");
  daemon.pool.links.pop_back();
  EXPECT_THAT(daemon.problems(), ElementsAre(HasSubstr("no jobs are taken")));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::bad);
}

TEST(Verdict, BeforeTheFirstConnectionItIsStarting) {
  Daemon daemon;
  daemon.pool.links[0].connected = false;
  EXPECT_THAT(daemon.problems(), ElementsAre("starting: no gearmand is connected yet"));
  daemon.pool.links.push_back(daemon.link("two:4730", true));
  EXPECT_TRUE(daemon.verdict().well());
}

TEST(Verdict, ARejectedJobsFile) {
  Daemon daemon;
  daemon.snapshot.config.errors = {"line 1", "line 2"};
  EXPECT_THAT(daemon.problems(), ElementsAre(HasSubstr("in force: line 1 (and 1 more error)")));
}

TEST(Verdict, AMinuteOfBusySlotsAndWaitingJobsIsAProblem) {
  Daemon daemon;
  daemon.pool.running = 4;
  daemon.queues["one:4730"].functions["f"].queued = 2;
  for (int i = 0; i < 59; ++i) daemon.second(1, 0);
  EXPECT_TRUE(daemon.verdict().well());
  daemon.second(1, 0);
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre(
          "Regular: all 4 slots have been busy for 60 s, and 2 jobs wait in the queue; if the endpoint "
          "can run more at once (pm.max_children of php-fpm), raise worker_count (4)"));
}

TEST(Verdict, APoolThatFallsBehindIsNamedSooner) {
  Daemon daemon;
  daemon.pool.running = 4;
  daemon.queues["one:4730"].functions["f"].queued = 40;
  for (int i = 0; i < 9; ++i) daemon.second(1, 0);
  EXPECT_TRUE(daemon.verdict().well());
  daemon.second(1, 0);
  EXPECT_THAT(daemon.problems(),
              ElementsAre(HasSubstr("all 4 slots have been busy for 10 s, and 40 jobs wait")));
  daemon.queues["one:4730"].functions["f"].queued = 20;
  EXPECT_TRUE(daemon.verdict().well()) << "half a minute's work";
}

TEST(Verdict, AFunctionThatNobodyServes) {
  Daemon daemon;
  daemon.pool.settings.jobs_list = {"Report"};
  daemon.config.pools = {daemon.pool.settings};
  auto& unserved = daemon.queues["one:4730"].unserved;
  unserved["Reprot"] = {.queued = 5, .waiting_since = SteadyTime(1h) - 9s};
  EXPECT_TRUE(daemon.verdict().well()) << "its worker may be being started again";
  unserved["Reprot"].waiting_since = SteadyTime(1h) - 10s;
  daemon.queues["two:4730"].unserved["Reprot"] = {.queued = 1, .waiting_since = SteadyTime(1h) - 30s};
  unserved["x"] = {.queued = 1, .waiting_since = SteadyTime(1h) - 10s};
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre("no pool and no other worker serves Reprot: 6 jobs wait, for 30 s; is Report meant?",
                  "no pool and no other worker serves x: 1 job waits, for 10 s"));
  daemon.config.pools[0].settings.dead_letter_function = "x";
  EXPECT_THAT(daemon.problems(), ElementsAre(HasSubstr("Reprot")));
  EXPECT_THAT(daemon.verdict().summary, testing::EndsWith("; is Report meant?"));
  daemon.config.pools[0].jobs_list.push_back("Reprot");
  EXPECT_TRUE(daemon.verdict().well()) << "the queues were read before the function was added";
}

TEST(Verdict, AJobsFileOnAFileSystemThatDoesNotAnswer) {
  Daemon daemon;
  daemon.snapshot.config.unanswered_since = SteadyTime(1h) - 12s;
  EXPECT_THAT(daemon.problems(),
              ElementsAre("the jobs file, or a file that it names, cannot be read: the file system has not "
                          "answered for 12 s; changes are not seen, and jobs still run"));
}

TEST(Verdict, AQueueThatCannotBeRead) {
  Daemon daemon;
  daemon.queues["one:4730"].known = false;
  daemon.queues["one:4730"].why = "no answer in time";
  EXPECT_THAT(daemon.problems(),
              ElementsAre("gearmand one:4730: its queue cannot be read: no answer in time"));
}

TEST(Verdict, ADrain) {
  Daemon daemon;
  daemon.snapshot.draining = true;
  daemon.pool.draining = true;
  daemon.pool.running = 1;
  EXPECT_THAT(daemon.problems(), ElementsAre("shutting down: no more jobs are taken, 1 job still runs"));
}

TEST(Verdict, TheWorstComesFirstAndTheOthersAreCounted) {
  Daemon daemon;
  daemon.silent = 5s;
  daemon.snapshot.config.errors = {"line 1"};
  daemon.pool.endpoint = {EndpointStatus::State::down, SteadyTime(1h), "why"};
  const auto verdict = daemon.verdict();
  ASSERT_EQ(verdict.problems.size(), 3U);
  EXPECT_THAT(verdict.summary, testing::StartsWith("the event loop has not worked for 5 s"));
  EXPECT_THAT(verdict.summary, testing::EndsWith(" (and 2 more problems)."));
}

TEST(Verdict, DurationsInWords) {
  EXPECT_EQ(in_words(999ms), "0 s");
  EXPECT_EQ(in_words(119s), "119 s");
  EXPECT_EQ(in_words(2min), "2 min");
  EXPECT_EQ(in_words(2h), "2 h");
  EXPECT_EQ(in_words(std::chrono::hours(50)), "2 d");
}

TEST(Verdict, ALackOfDescriptorsIsNamedWithItsRemedyAndNotTakenForAFullEndpoint) {
  Daemon daemon;
  daemon.snapshot.process = {.may_open = 40,
                             .needs_open = 40,
                             .lacked_descriptors = SteadyTime(1h) - 14s,
                             .log = {},
                             .certificates = {}};
  daemon.pool.endpoint.full = true;
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre("no file descriptor was free for a connection, 14 s ago: 40 may be open; raise "
                  "LimitNOFILE= of the systemd unit or `ulimit -n` of the shell, or lower worker_count"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::bad);
  daemon.snapshot.process.needs_open = 100;
  daemon.snapshot.process.lacked_descriptors = SteadyTime(1h) - 61s;
  EXPECT_THAT(
      daemon.problems(),
      ElementsAre(HasSubstr("is full"), HasSubstr("100 file descriptors are needed, and 40 may be open")));
}

TEST(Verdict, LostLogLinesAreAWarningForAWhile) {
  Daemon daemon;
  daemon.snapshot.process.log = {312, SteadyTime(1h) - 14s,
                                 "the log file /a does not take them: No space left"};
  EXPECT_THAT(daemon.problems(),
              ElementsAre("312 log lines are lost, the last of them 14 s ago: the log file /a does "
                          "not take them: No space left"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::warning);
  daemon.snapshot.process.log.lines = 1;
  EXPECT_THAT(daemon.problems(), ElementsAre(HasSubstr("1 log line is lost")));
  daemon.snapshot.process.log.last = SteadyTime(1h) - 6min;
  EXPECT_TRUE(daemon.verdict().well());
}

TEST(Verdict, ACertificateIsNamedBeforeItEnds) {
  Daemon daemon;
  const auto now = daemon.snapshot.wall = WallTime(1000h);
  daemon.snapshot.process.certificates = {{"/good", now + 15 * 24h}};
  EXPECT_TRUE(daemon.verdict().well());
  daemon.snapshot.process.certificates = {{"/soon", now + 13 * 24h}, {"/late", now - 3h}};
  EXPECT_THAT(daemon.problems(), ElementsAre("the certificate /late ended 3 h ago: renew it",
                                             "the certificate /soon ends in 13 d: renew it"));
  EXPECT_EQ(daemon.verdict().problems.front().level, Level::bad);
  EXPECT_EQ(daemon.verdict().problems.back().level, Level::warning);
}

}  // namespace
}  // namespace driveshaft::monitor
