// SPDX-License-Identifier: MIT
#include "metrics/metrics.h"

#include <gmock/gmock.h>

#include <atomic>
#include <sstream>
#include <thread>

namespace driveshaft::metrics {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

TEST(Metrics, SeriesExistAtZeroOnceConfigured) {
  Registry registry;
  const auto pool = registry.pool("Regular");
  pool->function("Sum");
  const std::string text = registry.text();
  for (const char* line : {
           R"(driveshaft_job_duration_count{function="Sum",pool="Regular"} 0)",
           R"(driveshaft_failed_job_duration_seconds_count{function="Sum",pool="Regular"} 0)",
           R"(driveshaft_errors{function="Sum",pool="Regular"} 0)",
           R"(driveshaft_timeouts{function="Sum",pool="Regular"} 0)",
           R"(driveshaft_threads{function="Sum",pool="Regular",status="busy"} 0)",
           R"(driveshaft_threads{pool="Regular",status="idle"} 0)",
           R"(driveshaft_results_dropped_total{function="Sum",pool="Regular"} 0)",
           R"(driveshaft_results_refused_total{pool="Regular"} 0)",
           R"(driveshaft_gearmand_connections{pool="Regular"} 0)",
           R"(driveshaft_jobs_total{function="Sum",outcome="complete",pool="Regular"} 0)",
           R"(driveshaft_jobs_total{function="Sum",outcome="refused",pool="Regular"} 0)",
           R"(driveshaft_jobs_total{function="Sum",outcome="failed",pool="Regular"} 0)",
           R"(driveshaft_config_reloads_total{result="ok"} 0)",
           R"(driveshaft_config_reloads_total{result="rejected"} 0)",
           "# TYPE driveshaft_job_duration histogram",
           "# TYPE driveshaft_errors counter",
           "# TYPE driveshaft_timeouts counter",
           "# TYPE driveshaft_threads gauge",
       }) {
    EXPECT_THAT(text, HasSubstr(std::string(line) + "\n"));
  }
}

TEST(Metrics, DurationsOfSuccessfulJobsInSeconds) {
  Registry registry;
  const auto pool = registry.pool("p");
  FunctionMetrics& f = pool->function("f");
  f.completed(10ms);
  f.completed(2s);
  f.failed();
  f.refused();
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("driveshaft_job_duration_count{function=\"f\",pool=\"p\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_job_duration_sum{function=\"f\",pool=\"p\"} 2.01\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_job_duration_bucket{function=\"f\",pool=\"p\",le=\"0.005\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_job_duration_bucket{function=\"f\",pool=\"p\",le=\"0.01\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_job_duration_bucket{function=\"f\",pool=\"p\",le=\"2.5\"} 2\n"));
}

TEST(Metrics, DurationsOfFailedJobsAreSeparate) {
  Registry registry;
  const auto pool = registry.pool("p");
  FunctionMetrics& f = pool->function("f");
  f.completed(10ms);
  f.failed();
  f.failed_after(60s);
  f.refused();
  f.failed_after(1s);
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("driveshaft_job_duration_sum{function=\"f\",pool=\"p\"} 0.01\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_failed_job_duration_seconds_sum{function=\"f\",pool=\"p\"} 61\n"));
  EXPECT_THAT(
      text,
      HasSubstr("driveshaft_failed_job_duration_seconds_bucket{function=\"f\",pool=\"p\",le=\"1\"} 1\n"));
  pool->forget("f");
  EXPECT_THAT(registry.text(), Not(HasSubstr("driveshaft_failed_job_duration_seconds_count")));
}

TEST(Metrics, BucketsIncludeTheOnesDashboardsKnow) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->function("f");
  for (const char* bound : {"0.001", "0.01", "0.1", "1", "10", "100", "1000", "+Inf"}) {
    EXPECT_THAT(registry.text(), HasSubstr("le=\"" + std::string(bound) + "\"}"));
  }
}

TEST(Metrics, EveryFailureCountsAsAnErrorToo) {
  Registry registry;
  const auto pool = registry.pool("p");
  FunctionMetrics& f = pool->function("f");
  f.failed();
  f.timed_out();
  f.http_error(500);
  f.http_error(500);
  f.http_error(404);
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("driveshaft_errors{function=\"f\",pool=\"p\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_timeouts{function=\"f\",pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_http_errors{function=\"f\",http_status=\"500\",pool=\"p\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_http_errors{function=\"f\",http_status=\"404\",pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_jobs_total{function=\"f\",outcome=\"failed\",pool=\"p\"} 5\n"));
}

TEST(Metrics, AJobTheEndpointRefusedIsNoError) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->function("f").refused();
  pool->function("f").completed(1ms);
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("driveshaft_jobs_total{function=\"f\",outcome=\"refused\",pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_jobs_total{function=\"f\",outcome=\"complete\",pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_errors{function=\"f\",pool=\"p\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_job_duration_count{function=\"f\",pool=\"p\"} 1\n"));
}

TEST(Metrics, AnEndpointThatAnswersAnyStatusCannotMakeSeriesGrow) {
  Registry registry;
  const auto pool = registry.pool("p");
  FunctionMetrics& f = pool->function("f");
  for (int status = -1; status <= 1000; ++status) f.http_error(status);
  const std::string text = registry.text();
  int series = 0;
  for (auto at = text.find("\ndriveshaft_http_errors{"); at != text.npos;
       at = text.find("\ndriveshaft_http_errors{", at + 1)) {
    ++series;
  }
  EXPECT_EQ(series, 56);
  EXPECT_THAT(text, HasSubstr("driveshaft_http_errors{function=\"f\",http_status=\"404\",pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_http_errors{function=\"f\",http_status=\"2xx\",pool=\"p\"} 100\n"));
}

TEST(Metrics, SlotsAreIdleOrBusyWithAFunction) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->set_idle(7);
  pool->function("f").started();
  pool->function("f").started();
  pool->function("g").started();
  std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("driveshaft_threads{pool=\"p\",status=\"idle\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_threads{function=\"f\",pool=\"p\",status=\"busy\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_threads{function=\"g\",pool=\"p\",status=\"busy\"} 1\n"));
  pool->function("f").ended();
  EXPECT_THAT(registry.text(),
              HasSubstr("driveshaft_threads{function=\"f\",pool=\"p\",status=\"busy\"} 1\n"));
}

TEST(Metrics, ResultsThatDidNotArrive) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->function("f").result_dropped();
  pool->result_refused();
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("driveshaft_results_dropped_total{function=\"f\",pool=\"p\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_results_refused_total{pool=\"p\"} 1\n"));
}

TEST(Metrics, SeriesOfAForgottenFunctionAreRemoved) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->function("f").http_error(500);
  pool->function("g").failed();
  pool->forget("f");
  EXPECT_THAT(registry.text(), Not(HasSubstr("function=\"f\"")));
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_errors{function=\"g\",pool=\"p\"} 1\n"));
}

TEST(Metrics, SeriesOfARemovedPoolAreRemoved) {
  Registry registry;
  const auto kept = registry.pool("kept");
  kept->function("f").failed();
  auto gone = registry.pool("gone");
  gone->function("f").http_error(503);
  gone->function("g").timed_out();
  EXPECT_THAT(registry.text(), HasSubstr("pool=\"gone\""));
  gone.reset();
  EXPECT_THAT(registry.text(), Not(HasSubstr("pool=\"gone\"")));
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_errors{function=\"f\",pool=\"kept\"} 1\n"));
}

TEST(Metrics, APoolThatComesBackWhileHeldGoesOnCounting) {
  Registry registry;
  const auto draining = registry.pool("p");
  draining->function("f").failed();
  const auto again = registry.pool("p");
  EXPECT_EQ(again, draining);
  again->function("f").failed();
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_errors{function=\"f\",pool=\"p\"} 2\n"));
}

TEST(Metrics, PoolsMayOutliveTheRegistry) {
  auto registry = std::make_unique<Registry>();
  const auto pool = registry->pool("p");
  registry.reset();
  pool->function("f").failed();
}

TEST(Metrics, Reloads) {
  Registry registry;
  registry.config_reloaded(true);
  registry.config_reloaded(true);
  registry.config_reloaded(false);
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_config_reloads_total{result=\"ok\"} 2\n"));
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_config_reloads_total{result=\"rejected\"} 1\n"));
}

TEST(Metrics, ActionsOfOperators) {
  Registry registry;
  registry.add_control_action("pause");
  EXPECT_THAT(registry.text(),
              HasSubstr("driveshaft_control_actions_total{action=\"pause\",outcome=\"done\"} 0\n"));
  registry.control_action("pause", true);
  registry.control_action("pause", true);
  registry.control_action("pause", false);
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("driveshaft_control_actions_total{action=\"pause\",outcome=\"done\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_control_actions_total{action=\"pause\",outcome=\"refused\"} 1\n"));
}

TEST(Metrics, ARejectedJobsFileShowsUntilAGoodOne) {
  Registry registry;
  const auto shown = [](const char* value) {
    return testing::AllOf(HasSubstr(std::string("driveshaft_config_last_reload_successful ") + value + "\n"),
                          Not(HasSubstr("driveshaft_config_last_reload_success_timestamp_seconds 0\n")));
  };
  registry.config_loaded();
  EXPECT_THAT(registry.text(), shown("1"));
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_config_reloads_total{result=\"ok\"} 0\n"));
  registry.config_reloaded(false);
  EXPECT_THAT(registry.text(), shown("0"));
  registry.config_reloaded(true);
  EXPECT_THAT(registry.text(), shown("1"));
}

TEST(Metrics, ConnectionsOfAPool) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->connections_changed(+1);
  pool->connections_changed(+1);
  pool->connections_changed(-1);
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_gearmand_connections{pool=\"p\"} 1\n"));
}

TEST(Metrics, APoolTalliesWhatItsFunctionsDid) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->function("f").completed(20ms);
  pool->function("f").refused();
  pool->function("g").timed_out();
  EXPECT_EQ(pool->function("f").outcomes().completed, 1U);
  EXPECT_EQ(pool->function("g").outcomes().failed, 1U);
  pool->forget("g");
  EXPECT_EQ(pool->tally().outcomes.completed, 1U);
  EXPECT_EQ(pool->tally().outcomes.refused, 1U);
  EXPECT_EQ(pool->tally().outcomes.failed, 1U);
  EXPECT_NEAR(static_cast<double>(pool->tally().durations.quantile(0.5)->count()), 20e6, 4e6);
}

TEST(Metrics, TheLongestOfATallyBeginsAnewWhenItIsTaken) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->function("f").completed(30s);
  pool->function("g").completed(20ms);
  EXPECT_EQ(pool->tally().longest, 30s);
  EXPECT_EQ(pool->take_tally().longest, 30s);
  EXPECT_EQ(pool->take_tally().longest, 0s);
  pool->function("f").completed(1s);
  EXPECT_EQ(pool->take_tally().longest, 1s);
}

TEST(Metrics, PhasesOfRequests) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->function("f").connected(3ms);
  pool->function("f").answer_began(20ms);
  pool->function("g").answer_began(20ms);
  const std::string text = registry.text();
  EXPECT_THAT(text,
              HasSubstr("driveshaft_http_phase_duration_seconds_count{phase=\"connect\",pool=\"p\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("driveshaft_http_phase_duration_seconds_count{phase=\"first_byte\",pool=\"p\"} 2\n"));
  EXPECT_THAT(
      text, HasSubstr("driveshaft_http_phase_duration_seconds_sum{phase=\"first_byte\",pool=\"p\"} 0.04\n"));
}

TEST(Metrics, GaugesOfAPool) {
  Registry registry;
  auto gauges = registry.gauges("p");
  gauges->set({.slots = 7, .connections = 5, .idle_connections = 2});
  const std::string text = registry.text();
  for (const char* line : {
           R"(driveshaft_slots{pool="p"} 7)",
           R"(driveshaft_endpoint_connections{pool="p",state="busy"} 3)",
           R"(driveshaft_endpoint_connections{pool="p",state="idle"} 2)",
       }) {
    EXPECT_THAT(text, HasSubstr(std::string(line) + "\n"));
  }
  gauges.reset();
  EXPECT_THAT(registry.text(), Not(HasSubstr("pool=")));
}

TEST(Metrics, SeriesOfABackendExistWhileTheBackendDoes) {
  using testing::UnorderedElementsAre;
  Registry registry;
  auto gauges = registry.gauges("p");
  const auto lines = [&] {
    std::vector<std::string> found;
    std::istringstream text(registry.text());
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("driveshaft_backend_")) found.push_back(line.substr(19));
    }
    return found;
  };
  const PoolGauges::Backend backend{
      .up = true, .weight = 2, .jobs = 3, .connections = 5, .succeeded = 7, .failed = 1};
  gauges->set_backends({{"a", backend}, {"b", {}}});
  gauges->set_backends({{"a", backend}});
  EXPECT_THAT(lines(), UnorderedElementsAre(
                           R"(up{backend="a",pool="p"} 1)", R"(weight{backend="a",pool="p"} 2)",
                           R"(jobs{backend="a",pool="p"} 3)", R"(connections{backend="a",pool="p"} 5)",
                           R"(attempts_total{backend="a",outcome="succeeded",pool="p"} 14)",
                           R"(attempts_total{backend="a",outcome="failed",pool="p"} 2)"));
  gauges.reset();
  EXPECT_THAT(lines(), testing::IsEmpty());
}

TEST(Metrics, ProcessAndBuild) {
  const Registry registry("1.2.3");
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("driveshaft_build_info{version=\"1.2.3\"} 1\n"));
  for (const char* name :
       {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
        "process_open_fds", "process_max_fds", "process_threads", "process_start_time_seconds"}) {
    const auto at = text.find(std::string("\n") + name + " ");
    ASSERT_NE(at, text.npos) << name;
    EXPECT_GT(std::stod(text.substr(at + 2 + std::string_view(name).size())), 0) << name;
  }
}

TEST(Metrics, QueuesOfAServer) {
  Registry registry;
  auto queue = registry.server("h:4730");
  queue->set_queue_known(true);
  queue->set_functions({{"f", 7, 2, 1, 90s}, {"g", 0, 0, 0, 0s}});
  const std::string both = registry.text();
  for (const char* line : {
           R"(driveshaft_queue_jobs{function="f",server="h:4730",state="queued"} 7)",
           R"(driveshaft_queue_jobs{function="f",server="h:4730",state="running"} 2)",
           R"(driveshaft_queue_jobs{function="g",server="h:4730",state="queued"} 0)",
           R"(driveshaft_queue_workers{function="f",server="h:4730"} 1)",
           R"(driveshaft_queue_waiting_seconds{function="f",server="h:4730"} 90)",
           R"(driveshaft_queue_waiting_seconds{function="g",server="h:4730"} 0)",
           R"(driveshaft_queue_up{server="h:4730"} 1)",
       }) {
    EXPECT_THAT(both, HasSubstr(std::string(line) + "\n"));
  }
  queue->set_functions({{"g", 3, 0, 0, 0s}});
  EXPECT_THAT(registry.text(), Not(HasSubstr("function=\"f\"")));
  EXPECT_THAT(registry.text(), HasSubstr("function=\"g\",server=\"h:4730\",state=\"queued\"} 3\n"));
  queue->set_queue_known(false);
  queue->set_functions({});
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_queue_up{server=\"h:4730\"} 0\n"));
  EXPECT_THAT(registry.text(), Not(HasSubstr("driveshaft_queue_jobs{")));
  queue.reset();
  EXPECT_THAT(registry.text(), Not(HasSubstr("h:4730")));
}

TEST(Metrics, AServerThatNoPoolNeedsIsNeitherUpNorDown) {
  Registry registry;
  auto server = registry.server("h:4730");
  EXPECT_THAT(registry.text(), Not(HasSubstr("driveshaft_gearmand_up{")));
  server->set_connected(true);
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_gearmand_up{server=\"h:4730\"} 1\n"));
  server->set_connected(false);
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_gearmand_up{server=\"h:4730\"} 0\n"));
  server->set_connected(std::nullopt);
  server->set_connected(std::nullopt);
  EXPECT_THAT(registry.text(), Not(HasSubstr("driveshaft_gearmand_up{")));
  server->set_connected(true);
  server.reset();
  EXPECT_THAT(registry.text(), Not(HasSubstr("h:4730")));
}

TEST(Metrics, EndpointsByState) {
  Registry registry;
  auto pool = registry.pool("p");
  const auto shown = [&](int up, int paused, int absent, int down, int all_up) {
    const auto line = [](const char* state, int count) {
      return HasSubstr(std::string("driveshaft_endpoints{pool=\"p\",state=\"") + state + "\"} " +
                       std::to_string(count) + "\n");
    };
    return testing::AllOf(line("up", up), line("paused", paused), line("absent", absent), line("down", down),
                          HasSubstr("driveshaft_endpoint_up{pool=\"p\"} " + std::to_string(all_up) + "\n"));
  };
  EXPECT_THAT(registry.text(), shown(0, 0, 0, 0, 1));
  using enum EndpointState;
  pool->endpoint_changed(std::nullopt, up);
  pool->endpoint_changed(std::nullopt, up);
  EXPECT_THAT(registry.text(), shown(2, 0, 0, 0, 1));
  pool->endpoint_changed(up, paused);
  EXPECT_THAT(registry.text(), shown(1, 1, 0, 0, 1));
  pool->endpoint_changed(up, absent);
  EXPECT_THAT(registry.text(), shown(0, 1, 1, 0, 0));
  pool->endpoint_changed(absent, down);
  EXPECT_THAT(registry.text(), shown(0, 1, 0, 1, 0));
  pool->endpoint_changed(down, std::nullopt);
  EXPECT_THAT(registry.text(), shown(0, 1, 0, 0, 1));
  pool.reset();
  EXPECT_THAT(registry.text(), Not(HasSubstr("pool=\"p\"")));
}

TEST(Metrics, PausesOfPoolsAndFunctions) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->function("f").set_paused(false);
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_pool_paused{pool=\"p\"} 0\n"));
  EXPECT_THAT(registry.text(), Not(HasSubstr("driveshaft_function_paused{")));
  pool->set_paused(true);
  pool->function("f").set_paused(true);
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_pool_paused{pool=\"p\"} 1\n"));
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_function_paused{function=\"f\",pool=\"p\"} 1\n"));
  pool->function("f").set_paused(false);
  EXPECT_THAT(registry.text(), HasSubstr("driveshaft_function_paused{function=\"f\",pool=\"p\"} 0\n"));
  pool->forget("f");
  EXPECT_THAT(registry.text(), Not(HasSubstr("function=\"f\"")));
}

TEST(Metrics, DeadLettersThatAreExpectedBeginAtZero) {
  Registry registry;
  const auto pool = registry.pool("p");
  pool->function("f").expect_dead_letters();
  pool->function("f").dead_lettered(false);
  pool->function("f").expect_dead_letters();
  const std::string text = registry.text();
  EXPECT_THAT(text,
              HasSubstr("driveshaft_dead_letters_total{function=\"f\",pool=\"p\",result=\"accepted\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("driveshaft_dead_letters_total{function=\"f\",pool=\"p\",result=\"lost\"} 1\n"));
}

TEST(Metrics, HowLateTheLoopWas) {
  Registry registry;
  registry.loop_was_late(-1ms);  // the clock may be read before the timer's time
  registry.loop_was_late(200us);
  registry.loop_was_late(3s);
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("driveshaft_loop_lag_seconds_count 3\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_loop_lag_seconds_sum 3.0002\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_loop_lag_seconds_bucket{le=\"0.0005\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("driveshaft_loop_lag_seconds_bucket{le=\"5\"} 3\n"));
}

// Finds data races under ThreadSanitizer, and crashes without it: one thread reads the metrics while pools
// come and go.
TEST(Metrics, ScrapingWhileCounting) {
  Registry registry;
  std::atomic<bool> done{false};
  std::thread scraper([&] {
    do {
      EXPECT_THAT(registry.text(), HasSubstr("driveshaft_config_reloads_total"));
    } while (!done);
  });
  for (int round = 0; round < 300; ++round) {
    const auto pool = registry.pool("p");
    FunctionMetrics& f = pool->function("f");
    f.started();
    f.completed(1ms);
    f.ended();
    f.http_error(400 + round);
    pool->set_idle(round);
  }
  done = true;
  scraper.join();
  EXPECT_THAT(registry.text(), Not(HasSubstr("pool=")));
}

}  // namespace
}  // namespace driveshaft::metrics
