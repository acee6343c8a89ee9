// SPDX-License-Identifier: MIT
// Tests Supervisor, Pool and Job together, between a gearmand and an endpoint in the same loop.
#include "dispatch/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "dispatch/supervisor.h"
#include "dispatch/test_context.h"
#include "gearman/test_server.h"
#include "net/test_loop.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using http::test_response;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class PoolTest : public testing::Test, protected TestContext {
 protected:
  PoolTest() {
    endpoint.answer = [this](const std::string& request) { return next_answer(request); };
    config.servers = {{server.address()}};
    config.pools = {
        {.name = "p", .endpoint = uri_of(endpoint), .worker_count = 2, .jobs_list = {"f"}, .settings = {}}};
  }
  ~PoolTest() override {
    drain(0s);
    EXPECT_TRUE(net::run_until(loop, [&] { return drained > 0; }));
    EXPECT_EQ(drained, 1);
    EXPECT_EQ(supervisor.connected_links(), 0);
  }

  static net::Uri uri_of(const http::TestEndpoint& place) { return *net::parse_uri(place.uri()); }
  config::PoolConfig& pool() { return config.pools[0]; }
  config::PoolSettings& settings() { return config.pools[0].settings; }
  void apply() { supervisor.apply(config); }
  void drain(std::chrono::milliseconds window) {
    supervisor.drain(window, [this] { ++drained; });
  }

  template <class Done>
  void wait_until(Done done) {
    ASSERT_TRUE(net::run_until(loop, done));
  }
  void wait_for_results(std::size_t count) {
    wait_until([&] { return server.results.size() == count; });
  }
  void wait_for_requests(int count) {
    wait_until([&] { return endpoint.requests == count; });
  }
  void submit(const std::string& handle, const std::string& workload = "work") {
    server.submit({handle, "f", workload});
  }
  // Starts one job. The endpoint does not answer it.
  void run_a_job() {
    answers = {std::nullopt};
    submit("H:a:1");
    wait_for_requests(1);
  }
  PoolStatus status() const { return supervisor.status(Detail::all).at(0); }

  // The reason of the last failed job.
  std::string reason() const {
    const auto failures = status().failures;
    return failures.empty() ? "no job has failed" : failures[0]->reason;
  }

  // What the endpoint answers: `answers` one after another, and then always "done".
  std::optional<std::string> next_answer(const std::string& request) {
    last_request = request;
    if (answers.empty()) return test_answer("done");
    auto next = answers.front();
    answers.erase(answers.begin());
    return next;
  }

  gearman::TestServer server{loop};
  http::TestEndpoint endpoint{loop};
  std::vector<std::optional<std::string>> answers;
  std::string last_request;
  config::Config config;
  int drained = 0;
  Supervisor supervisor{context};
};

TEST_F(PoolTest, AJobIsTakenPostedAndAnswered) {
  apply();
  submit("H:a:1", "the workload");
  wait_for_results(1);
  EXPECT_THAT(server.results, ElementsAre("WORK_COMPLETE H:a:1 done"));
  EXPECT_THAT(last_request, HasSubstr(R"("function_name":"f")"));
  EXPECT_THAT(last_request, HasSubstr(R"("workload":"the workload")"));
  EXPECT_EQ(supervisor.running_jobs(), 0);
  EXPECT_EQ(context.jobs_done, 1u);
  EXPECT_EQ(supervisor.connected_links(), 1);
}

TEST_F(PoolTest, ABigJobIsPostedAndAnsweredWhole) {
  apply();
  const std::string big(300'000, 'x');
  answers = {test_answer(big)};
  submit("H:a:1", big);
  wait_for_results(1);
  EXPECT_THAT(last_request, HasSubstr(big));
  EXPECT_EQ(server.results[0], "WORK_COMPLETE H:a:1 " + big);
}

TEST_F(PoolTest, AFullPoolTakesNoMoreJobs) {
  answers = {std::nullopt, std::nullopt, std::nullopt};
  apply();
  for (const auto* handle : {"H:a:1", "H:a:2", "H:a:3"}) submit(handle);
  wait_for_requests(2);
  net::run_ready(loop);
  EXPECT_THAT(server.queue, SizeIs(1));
  EXPECT_EQ(supervisor.running_jobs(), 2);
  endpoint.peers[0]->send(test_answer("done"));
  wait_for_requests(3);
  EXPECT_THAT(server.queue, IsEmpty());
  EXPECT_THAT(server.results, SizeIs(1));
}

TEST_F(PoolTest, AJobThatTheEndpointRefusesFailsWithItsText) {
  settings().failure_text = config::FailureText::exception;
  answers = {test_answer("no such order", 7)};
  apply();
  submit("H:a:1");
  wait_for_results(1);
  EXPECT_THAT(server.results, ElementsAre("WORK_EXCEPTION H:a:1 no such order"));
  ASSERT_THAT(status().failures, SizeIs(1));
  EXPECT_EQ(status().failures[0]->gearman_ret, 7u);
}

TEST_F(PoolTest, AServerErrorFailsTheJob) {
  answers = {test_response("oops", "500 Internal Server Error")};
  apply();
  submit("H:a:1");
  wait_for_results(1);
  EXPECT_THAT(server.results, ElementsAre("WORK_FAIL H:a:1"));
  EXPECT_EQ(status().failures[0]->http_status, 500u);
}

TEST_F(PoolTest, AServerErrorIsRetriedWhereTheSettingsSaySo) {
  settings().retry.attempts = 2;
  settings().retry.initial_delay = 1ms;
  answers = {test_response("oops", "500 Internal Server Error")};
  apply();
  submit("H:a:1");
  wait_for_results(1);
  EXPECT_THAT(server.results, ElementsAre("WORK_COMPLETE H:a:1 done"));
  EXPECT_EQ(endpoint.requests, 2);
}

TEST_F(PoolTest, AFailedJobHasItsResultAfterItsDeadLetterIsAccepted) {
  settings().dead_letter_function = "dead";
  server.answers_submissions = false;
  answers = {test_response("oops", "500 Internal Server Error")};
  apply();
  submit("H:a:1");
  wait_until([&] { return !server.workers.empty() && server.workers[0]->count("SUBMIT_JOB_BG dead") == 1; });
  net::run_ready(loop);
  EXPECT_THAT(server.results, IsEmpty());
  EXPECT_EQ(supervisor.running_jobs(), 1);
  server.workers[0]->send(gearman::from_server(gearman::PacketType::job_created, "H:a:2"));
  wait_for_results(1);
  EXPECT_THAT(server.results, ElementsAre("WORK_FAIL H:a:1"));
}

TEST_F(PoolTest, AJobWhoseKeptConnectionWasClosedIsSentAgain) {
  apply();
  submit("H:a:1");
  wait_for_results(1);
  answers = {std::nullopt};
  submit("H:a:2");
  wait_for_requests(2);
  endpoint.peers[0]->close();
  wait_for_results(2);
  EXPECT_EQ(server.results[1], "WORK_COMPLETE H:a:2 done");
}

TEST_F(PoolTest, AnAttemptThatTakesTooLongFails) {
  settings().retry.attempt_timeout = 1ms;
  apply();
  run_a_job();
  wait_for_results(1);
  EXPECT_THAT(reason(), HasSubstr("attempt_timeout"));
  wait_until([&] { return endpoint.peers[0]->ended(); });
}

TEST_F(PoolTest, AJobThatTakesTooLongFails) {
  pool().functions["f"].max_running_time = 1ms;
  apply();
  run_a_job();
  wait_for_results(1);
  EXPECT_THAT(server.results, ElementsAre("WORK_FAIL H:a:1"));
  EXPECT_THAT(reason(), HasSubstr("max_running_time"));
}

TEST_F(PoolTest, AStreamedAnswerIsPassedOnAsItComes) {
  answers = {std::nullopt};
  apply();
  submit("H:a:1");
  wait_for_requests(1);
  endpoint.peers[0]->send(
      "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n{\"status\": [1, 2]}\n{\"data\": "
      "\"first\"}\n");
  wait_until([&] { return server.workers[0]->count("WORK_DATA H:a:1 first") == 1; });
  EXPECT_EQ(server.workers[0]->count("WORK_STATUS H:a:1 1 2"), 1);
  endpoint.peers[0]->send("{\"gearman_ret\": 0, \"response_string\": \"last\"}\n");
  endpoint.peers[0]->close();
  wait_for_results(1);
  EXPECT_THAT(server.results, ElementsAre("WORK_COMPLETE H:a:1 last"));
}

TEST_F(PoolTest, JobsAreHeldWhileTheEndpointIsDownAndRunWhenItIsBack) {
  endpoint.stop();
  apply();
  for (const auto* handle : {"H:a:1", "H:a:2", "H:a:3"}) submit(handle);
  wait_until([&] { return status().endpoint.held > 0; });
  EXPECT_EQ(status().endpoint.state, EndpointStatus::State::down);
  EXPECT_THAT(status().endpoint.why, HasSubstr("Connection refused"));
  EXPECT_THAT(server.queue, testing::Not(IsEmpty())) << "the pool takes no more";
  EXPECT_THAT(server.results, IsEmpty());
  endpoint.start();
  wait_for_results(3);
  EXPECT_EQ(status().endpoint.state, EndpointStatus::State::up);
}

TEST_F(PoolTest, WhenNoJobIsLeftThatCouldShowTheEndOfAnAbsenceTheNextOneDoes) {
  const auto bad_gateway = test_response("oops", "502 Bad Gateway");
  answers = std::vector<std::optional<std::string>>(100, bad_gateway);
  apply();
  submit("H:a:1");
  wait_until([&] { return status().endpoint.state == EndpointStatus::State::down; });
  EXPECT_EQ(status().busy(), 1) << "the job is held in its slot";
  wait_until([&] {
    supervisor.cancel_jobs([](const Job& job) { return !job.is_dead_lettering(); }, "cancelled",
                           /*requeue=*/false);
    return status().running == 0;
  });
  answers.clear();
  wait_until([&] { return status().endpoint.state == EndpointStatus::State::untried; });
  submit("H:a:2");
  wait_for_results(2);
  EXPECT_THAT(server.results, ElementsAre("WORK_FAIL H:a:1", "WORK_COMPLETE H:a:2 done"));
  EXPECT_EQ(status().endpoint.state, EndpointStatus::State::up);
}

TEST_F(PoolTest, AnEmptyAnswerIsAFailureOfAnEndpointThatHasNeverAnswered) {
  answers = {http::test_response("")};
  apply();
  submit("H:a:1");
  wait_for_results(1);
  EXPECT_THAT(server.results, ElementsAre("WORK_FAIL H:a:1"));
  EXPECT_THAT(reason(), AllOf(HasSubstr("the answer is empty"), HasSubstr("the job may have run")));
}

TEST_F(PoolTest, AJobThatGetsAnEmptyAnswerOfAnEndpointThatHasAnsweredIsSentOnceMore) {
  answers = {test_answer("first"), http::test_response(""), test_answer("second"), http::test_response(""),
             http::test_response("")};
  apply();
  for (const auto* handle : {"H:a:1", "H:a:2", "H:a:3"}) {
    submit(handle);
    wait_for_results(server.results.size() + 1);
  }
  EXPECT_THAT(server.results,
              ElementsAre("WORK_COMPLETE H:a:1 first", "WORK_COMPLETE H:a:2 second", "WORK_FAIL H:a:3"));
  EXPECT_EQ(endpoint.requests, 5);
  EXPECT_THAT(last_request, HasSubstr("Driveshaft-Attempt: 2\r\n"));
}

TEST_F(PoolTest, WithEndpointDownFailJobsAreNotHeld) {
  settings().endpoint_down = config::EndpointDown::fail;
  endpoint.stop();
  apply();
  submit("H:a:1");
  wait_for_results(1);
  EXPECT_THAT(server.results, ElementsAre("WORK_FAIL H:a:1"));
}

TEST_F(PoolTest, AJobWhoseConnectionToGearmandIsLostRunsAgain) {
  apply();
  run_a_job();
  server.workers[0]->close();
  wait_for_requests(2);  // the server has given the job out again
  EXPECT_EQ(supervisor.running_jobs(), 2);
  endpoint.peers[0]->send(test_answer("too late"));
  wait_until([&] { return supervisor.running_jobs() == 0; });
  wait_for_results(1);
  EXPECT_THAT(server.results, ElementsAre("WORK_COMPLETE H:a:1 done"));
}

TEST_F(PoolTest, AHeldJobWhoseConnectionToGearmandIsLostEnds) {
  endpoint.stop();
  apply();
  submit("H:a:1");
  wait_until([&] { return status().endpoint.held == 1; });
  server.answers_grabs = false;
  server.workers[0]->close();
  wait_until([&] { return supervisor.running_jobs() == 0; });
  EXPECT_THAT(server.queue, SizeIs(1));
}

TEST_F(PoolTest, AFunctionWithALimitHasItsOwnConnectionAndRunsNoMore) {
  pool().jobs_list = {"f", "g"};
  pool().functions["f"].max_concurrency = 1;
  answers = {std::nullopt};
  apply();
  wait_until([&] { return server.connections() == 2 && supervisor.connected_links() == 2; });
  for (const auto* handle : {"H:a:1", "H:a:2"}) submit(handle);
  wait_for_requests(1);
  net::run_ready(loop);
  EXPECT_EQ(endpoint.requests, 1);
}

TEST_F(PoolTest, ADrainWithoutJobsEndsAtOnce) {
  apply();
  wait_until([&] { return supervisor.connected_links() == 1; });
  drain(1h);
  EXPECT_EQ(supervisor.slots(), 0);
  wait_until([&] { return drained == 1; });
  EXPECT_EQ(server.workers[0]->said().back(), "ECHO_REQ goodbye");
}

TEST_F(PoolTest, ADrainWaitsForTheRunningJobAndTakesNoOther) {
  apply();
  run_a_job();
  drain(1h);
  submit("H:a:2");
  net::run_ready(loop);
  EXPECT_EQ(drained, 0);
  EXPECT_EQ(supervisor.running_jobs(), 1);
  endpoint.peers[0]->send(test_answer("done"));
  wait_until([&] { return drained == 1; });
  EXPECT_THAT(server.results, ElementsAre("WORK_COMPLETE H:a:1 done"));
  EXPECT_THAT(server.queue, SizeIs(1));
}

TEST_F(PoolTest, ADrainGivesHeldJobsBack) {
  endpoint.stop();
  apply();
  submit("H:a:1");
  wait_until([&] { return status().endpoint.held == 1; });
  drain(1h);
  wait_until([&] { return drained == 1 && server.connections() == 0; });
  EXPECT_THAT(server.queue, SizeIs(1));
  EXPECT_THAT(server.results, IsEmpty());
}

TEST_F(PoolTest, AtTheEndOfTheWindowJobsFail) {
  apply();
  run_a_job();
  drain(1ms);
  wait_until([&] { return drained == 1; });
  EXPECT_THAT(server.results, ElementsAre("WORK_FAIL H:a:1"));
}

TEST_F(PoolTest, AtTheEndOfTheWindowJobsAreGivenBackWhereTheSettingsSaySo) {
  settings().on_shutdown = config::OnShutdown::requeue;
  apply();
  run_a_job();
  drain(1ms);
  wait_until([&] { return drained == 1 && server.connections() == 0; });
  EXPECT_THAT(server.results, IsEmpty());
  EXPECT_THAT(server.queue, SizeIs(1));
}

TEST_F(PoolTest, ASecondDrainShortensTheWindow) {
  apply();
  run_a_job();
  drain(1h);
  net::run_ready(loop);
  supervisor.drain(1ms, [] { FAIL() << "the first drain has said whom to tell"; });
  wait_until([&] { return drained == 1; });
  EXPECT_THAT(server.results, ElementsAre("WORK_FAIL H:a:1"));
}

TEST_F(PoolTest, AReloadChangesTheSlotsAndKeepsConnectionAndJobs) {
  pool().worker_count = 1;
  answers = {std::nullopt, std::nullopt};
  apply();
  submit("H:a:1");
  submit("H:a:2");
  wait_for_requests(1);
  pool().worker_count = 2;
  apply();
  wait_for_requests(2);
  EXPECT_THAT(server.workers, SizeIs(1));
  endpoint.peers[0]->send(test_answer("first"));
  wait_for_results(1);
}

TEST_F(PoolTest, AReloadWithAnotherUriHoldsForTheNextJob) {
  http::TestEndpoint other(loop);
  other.answer = [](const std::string&) { return test_answer("from the other"); };
  apply();
  run_a_job();
  pool().endpoint = uri_of(other);
  apply();
  submit("H:a:2");
  wait_for_results(1);
  endpoint.peers[0]->send(test_answer("from the first"));
  wait_for_results(2);
  EXPECT_THAT(server.results,
              ElementsAre("WORK_COMPLETE H:a:2 from the other", "WORK_COMPLETE H:a:1 from the first"));
}

TEST_F(PoolTest, AReloadWithAnotherConnectTimeoutHoldsForTheNextConnection) {
  // The endpoint does not speak TLS and sends nothing, so the handshake never ends.
  pool().endpoint = *net::parse_uri("https" + endpoint.uri().substr(4));
  settings().endpoint_down = config::EndpointDown::fail;
  settings().endpoint_connect_timeout = 1h;
  apply();
  settings().endpoint_connect_timeout = 10ms;
  apply();
  submit("H:a:1");
  wait_for_results(1);
  EXPECT_THAT(reason(), HasSubstr("connect_timeout (10 ms)"));
}

TEST_F(PoolTest, AReloadWithAnotherResponseLimitHoldsForTheNextJob) {
  apply();
  settings().max_response_size = 10;
  apply();
  submit("H:a:1");
  wait_for_results(1);
  EXPECT_THAT(reason(), HasSubstr("max_response_size (10 bytes)"));
}

TEST_F(PoolTest, AReloadWithAnotherHeaderHoldsForTheNextRequest) {
  apply();
  settings().headers = {{.name = "X-Key", .file = "", .value = text::Secret("secret")}};
  apply();
  submit("H:a:1");
  wait_for_results(1);
  EXPECT_THAT(last_request, HasSubstr("X-Key: secret\r\n"));
}

TEST_F(PoolTest, AReloadAddsAFunctionToTheOpenConnection) {
  apply();
  wait_until([&] { return supervisor.connected_links() == 1; });
  pool().jobs_list = {"f", "g"};
  apply();
  wait_until([&] { return server.workers[0]->count("CAN_DO g") == 1; });
  server.submit({"H:a:1", "g", ""});
  wait_for_results(1);
  EXPECT_THAT(server.workers, SizeIs(1));
}

TEST_F(PoolTest, AReloadWithdrawsAFunctionByANewConnection) {
  pool().jobs_list = {"f", "g"};
  apply();
  run_a_job();
  pool().jobs_list = {"g"};
  apply();
  wait_until([&] { return server.workers.size() == 2 && server.workers[1]->count("CAN_DO") == 1; });
  EXPECT_EQ(server.workers[1]->count("CAN_DO g"), 1);
  EXPECT_FALSE(server.workers[0]->ended());
  endpoint.peers[0]->send(test_answer("done"));
  wait_for_results(1);
  wait_until([&] { return server.workers[0]->ended(); });
  EXPECT_FALSE(server.workers[1]->ended());
}

TEST_F(PoolTest, AReloadThatRemovesThePoolLetsItsJobFinish) {
  apply();
  run_a_job();
  config.pools.clear();
  apply();
  EXPECT_EQ(supervisor.running_jobs(), 1);
  EXPECT_EQ(supervisor.slots(), 0);
  endpoint.peers[0]->send(test_answer("done"));
  wait_until([&] { return supervisor.status(Detail::figures).empty(); });
  EXPECT_THAT(server.results, ElementsAre("WORK_COMPLETE H:a:1 done"));
  EXPECT_EQ(drained, 0);
}

TEST_F(PoolTest, AReloadThatEndsAnOutageByAnotherUriRunsTheHeldJobs) {
  endpoint.stop();
  apply();
  submit("H:a:1");
  wait_until([&] { return status().endpoint.held == 1; });
  http::TestEndpoint other(loop);
  other.answer = [](const std::string&) { return test_answer("done"); };
  pool().endpoint = uri_of(other);
  apply();
  wait_for_results(1);
  EXPECT_EQ(status().endpoint.state, EndpointStatus::State::up);
}

}  // namespace
}  // namespace driveshaft::dispatch
