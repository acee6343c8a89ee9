// SPDX-License-Identifier: MIT
// A job for which there is no memory: each allocation on its way through the program fails once, first the
// first one, then the second, and so on, until none fails. Whichever fails, the program goes on, the job ends
// in one of the ways that gearmand knows, and the next job runs.
//
// This program replaces operator new, so it is not a part of the other unit tests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>

#include "dispatch/supervisor.h"
#include "dispatch/test_context.h"
#include "gearman/test_server.h"
#include "net/test_loop.h"

namespace {

// While `armed` is true, allocations of this thread are counted down, and the last one fails.
thread_local bool armed = false;
thread_local int allocations_left = 0;  // 0: no allocation fails

bool this_one_fails() {
  if (!armed || allocations_left == 0) return false;
  return --allocations_left == 0;
}

void* allocate(std::size_t size) {
  if (this_one_fails()) return nullptr;
  return std::malloc(size == 0 ? 1 : size);  // NOLINT
}

void* allocate_or_throw(std::size_t size) {
  if (void* memory = allocate(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// NOLINTBEGIN
void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
// NOLINTEND

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using http::test_response;

// The program runs in a loop of its own. gearmand and the endpoint run in another loop, which is never short
// of memory.
class JobMemoryTest : public testing::Test, protected TestContext {
 protected:
  JobMemoryTest() {
    config.servers = {{server.address()}};
    config.pools = {{.name = "p",
                     .endpoint = *net::parse_uri(endpoint.uri()),
                     .worker_count = 2,
                     .jobs_list = {"f"},
                     .settings = {}}};
    endpoint.answer = [this](const std::string&) { return response; };
  }
  ~JobMemoryTest() override {
    supervisor.drain(0s, [this] { drained = true; });
    run_until([&] { return drained; });
    EXPECT_TRUE(drained);
  }

  // Runs both loops until `done()`. Allocations fail only in the program's loop.
  template <class Done>
  void run_until(Done done) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!done() && std::chrono::steady_clock::now() < end) {
      net::run_ready(outside);
      loop.restart();
      armed = true;
      try {
        loop.run_one_for(1ms);
      } catch (...) {
        armed = false;
        throw;
      }
      armed = false;
    }
  }
  template <class Done>
  void wait_until(Done done) {
    run_until(done);
    ASSERT_TRUE(done());
  }

  int jobs_at_gearmand() const {
    int running = 0;
    for (const auto& worker : server.workers) running += worker->ended() ? 0 : worker->running();
    return running + static_cast<int>(server.queue.size());
  }

  // Runs a job whose n-th allocation fails. False: the job has fewer allocations.
  bool run_a_job(int n) {
    const auto results = server.results.size();
    allocations_left = n;
    server.submit({"H:a:" + std::to_string(n), "f", workload, "unique"});
    // The job gets its result, or it is left unanswered and gearmand will give it to another worker.
    const auto done_before = context.jobs_done;
    wait_until([&] {
      return server.results.size() > results ||
             (context.jobs_done > done_before && supervisor.running_jobs() == 0);
    });
    const bool met = allocations_left == 0;
    allocations_left = 0;
    wait_until([&] { return supervisor.running_jobs() == 0; });
    return met;
  }

  // Expects that the next job succeeds, whatever happened to the one before.
  void expect_a_good_job() {
    const auto before = std::exchange(response, good_response);
    const std::string handle = "H:good:" + std::to_string(++good_jobs);
    server.submit({handle, "f", "small", "unique"});
    const auto done = [&] {
      return std::find(server.results.begin(), server.results.end(), "WORK_COMPLETE " + handle + " good") !=
             server.results.end();
    };
    wait_until([&] { return done() && supervisor.running_jobs() == 0; });
    response = before;
  }

  // Runs jobs until each allocation of a job has failed once.
  void fail_each_allocation() {
    supervisor.apply(config);
    wait_until([&] { return supervisor.connected_links() == 1; });
    expect_a_good_job();
    int n = 1;
    for (;; ++n) {
      SCOPED_TRACE(n);
      ASSERT_LT(n, 1000) << "it never runs out of allocations";
      const bool met = run_a_job(n);
      if (HasFatalFailure()) return;
      expect_a_good_job();
      if (HasFailure()) return;
      // A job that was left unanswered is gearmand's again when the connection closes.
      if (jobs_at_gearmand() > 0) {
        for (const auto& worker : server.workers) worker->close();
        wait_until([&] { return jobs_at_gearmand() == 0 && supervisor.connected_links() == 1; });
      }
      if (!met) break;
    }
    RecordProperty("allocations", n - 1);
    EXPECT_GT(n, 3) << "nothing was tested";
  }

  asio::io_context outside;
  gearman::TestServer server{outside};
  http::TestEndpoint endpoint{outside};
  std::string workload = "work";
  std::string response = test_answer("done");
  std::string good_response = test_answer("good");
  config::Config config;
  bool drained = false;
  int good_jobs = 0;
  Supervisor supervisor{context};
};

TEST_F(JobMemoryTest, AJobThatSucceeds) { fail_each_allocation(); }

TEST_F(JobMemoryTest, ABigJobWithABigResult) {
  workload = std::string(100'000, '\n');  // each byte has to be escaped
  response = test_answer(std::string(100'000, 'x'));
  fail_each_allocation();
}

TEST_F(JobMemoryTest, AJobWithASignedRequest) {
  config.pools[0].settings.signing.keys = {text::Secret(std::string(32, 'k'))};
  fail_each_allocation();
}

TEST_F(JobMemoryTest, AJobThatTheEndpointRefuses) {
  response = test_answer("a reason that is too long to need no memory", 1);
  fail_each_allocation();
}

TEST_F(JobMemoryTest, AJobWithAMalformedResponse) {
  config.pools[0].settings.explain_failures = true;
  response = "SSH-2.0-OpenSSH\r\n";
  fail_each_allocation();
}

TEST_F(JobMemoryTest, AJobWithADeadLetter) {
  config.pools[0].settings.dead_letter_function = "dead";
  response = test_response("oops", "500 Internal Server Error");
  fail_each_allocation();
}

TEST_F(JobMemoryTest, AJobWithAConnectionOfItsOwn) {
  response =
      test_response(R"({"gearman_ret": 0, "response_string": "done"})", "200 OK", "Connection: close\r\n");
  good_response =
      test_response(R"({"gearman_ret": 0, "response_string": "good"})", "200 OK", "Connection: close\r\n");
  fail_each_allocation();
}

// Whether the connection is kept or closed, the next job runs.
TEST_F(JobMemoryTest, AnErrorOfTheServer) {
  supervisor.apply(config);
  wait_until([&] { return supervisor.connected_links() == 1; });
  for (int n = 1;; ++n) {
    SCOPED_TRACE(n);
    expect_a_good_job();
    ASSERT_FALSE(HasFailure());
    const auto worker = server.workers.back();
    wait_until([&] { return worker->asleep(); });
    const int slept = worker->count("PRE_SLEEP");
    allocations_left = n;
    worker->send(gearman::from_server(gearman::PacketType::error,
                                      std::string("UNEXPECTED_PACKET\0", 18) + std::string(100, 'x')));
    worker->send(gearman::from_server(gearman::PacketType::noop));
    wait_until([&] { return allocations_left == 0 || worker->count("PRE_SLEEP") > slept; });
    if (std::exchange(allocations_left, 0) > 0) break;
  }
}

TEST_F(JobMemoryTest, AJobThatIsRetried) {
  config.pools[0].settings.retry.attempts = 2;
  config.pools[0].settings.retry.initial_delay = 1ms;
  response = test_response("oops", "500 Internal Server Error");
  fail_each_allocation();
}

TEST_F(JobMemoryTest, AJobWithAStreamedAnswer) {
  response =
      "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 78\r\n\r\n"
      "{\"data\": \"first\"}\n{\"status\": [1, 2]}\n{\"gearman_ret\": 0, \"response_string\": \"\"}";
  fail_each_allocation();
}

}  // namespace
}  // namespace driveshaft::dispatch
