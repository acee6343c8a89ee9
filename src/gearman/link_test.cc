// SPDX-License-Identifier: MIT
#include "gearman/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "gearman/test_server.h"
#include "net/resolver.h"
#include "net/test_loop.h"

namespace driveshaft::gearman {

struct LinkAccess {
  // Has the kernel take few bytes at a time.
  static void take_little(Link& link) {
    link.stream_.socket().set_option(asio::socket_base::send_buffer_size(32 * 1024));
  }
  static std::size_t unsent(const Link& link) { return link.unsent(); }
};

namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Has slots, and takes jobs for them.
class Owner final : public LinkOwner {
 public:
  explicit Owner(asio::io_context& loop) : loop_(loop) {}

  struct Job {
    std::uint64_t generation;
    std::string handle;
    std::string function;
    std::string workload;
    bool has_storage;
  };
  std::vector<Job> jobs;
  int slots = 1;
  int reserved = 0;
  int connections_lost = 0;
  int times_closed = 0;
  int times_writable = 0;
  int results_refused = 0;
  std::vector<bool> changes;

  bool job_assigned(Link& link, const Assignment& job, std::unique_ptr<char[]> storage) override {
    --reserved;
    if (job.function != "f" && job.function != "g") return false;
    jobs.push_back({link.generation(), std::string(job.handle), std::string(job.function),
                    std::string(job.workload), storage != nullptr});
    turn_needed(link);
    return true;
  }
  void no_job(Link&) override { --reserved; }
  void grabs_are_late(Link&) override {}
  void connection_lost(Link&) override {
    ++connections_lost;
    reserved = 0;
  }
  void turn_needed(Link& link) override {
    asio::post(loop_, [this, kept = link.shared_from_this()] { turn(*kept); });
  }
  void on_writable(Link&) override { ++times_writable; }
  void input_begins() override {}
  void input_ends() override {}
  void link_changed(bool connected) override { changes.push_back(connected); }
  void result_refused() override { ++results_refused; }
  void link_closed(Link&) override { ++times_closed; }

  void turn(Link& link) {
    const int free = slots - reserved - static_cast<int>(jobs.size());
    if (const int grabs = std::min(link.grabs_wanted(), free); grabs > 0) {
      reserved += grabs;
      link.grab(grabs);
    }
    if (free > 0 && link.retiring() && link.wants_wake_grab()) {
      ++reserved;
      link.wake_grab();
    }
    link.flush();
  }

 private:
  asio::io_context& loop_;
};

class LinkTest : public testing::Test {
 protected:
  LinkTest() {
    link->start();
    wait_until([&] { return !server.workers.empty() && server.workers[0]->said().size() >= 5; });
  }
  ~LinkTest() override {
    link->stop();
    EXPECT_TRUE(net::run_until(loop, [&] { return owner.times_closed > 0; }));
    EXPECT_EQ(owner.times_closed, 1);
  }

  template <class Done>
  void wait_until(Done done) {
    ASSERT_TRUE(net::run_until(loop, done));
  }
  TestServer::Worker& worker(std::size_t which = 0) { return *server.workers.at(which); }
  void wait_for_a_job(std::size_t count = 1) {
    wait_until([&] { return owner.jobs.size() == count; });
  }
  bool complete(const Owner::Job& job, std::string_view result) {
    return link->send_result(job.generation, job.handle, JobResult::complete, result);
  }
  bool closed() const { return owner.times_closed > 0; }

  asio::io_context loop;
  base::DeadlineWheel deadlines{loop};
  net::Resolver resolver{loop};
  Servers servers{deadlines};
  TestServer server{loop};
  Owner owner{loop};
  std::shared_ptr<Link> link = std::make_shared<Link>(
      resolver, deadlines, owner,
      Link::Settings{server.address(), servers[server.address()], "me", {"f", "g"}, 10s});
};

TEST_F(LinkTest, RegistersItsFunctionsAndGrabs) {
  EXPECT_THAT(worker().said(),
              ElementsAre("SET_CLIENT_ID me", "ECHO_REQ ping", "CAN_DO f", "CAN_DO g", "GRAB_JOB_UNIQ"));
  wait_until([&] { return worker().asleep(); });
  EXPECT_THAT(owner.changes, ElementsAre(true));
  EXPECT_TRUE(link->state().connected);
  EXPECT_EQ(owner.reserved, 0);
}

TEST_F(LinkTest, ASleepingLinkIsWokenAndTakesAJobAndSendsItsResult) {
  wait_until([&] { return worker().asleep(); });
  server.submit({"H:a:1", "g", "work"});
  wait_for_a_job();
  EXPECT_EQ(owner.jobs[0].function, "g");
  EXPECT_EQ(owner.jobs[0].workload, "work");
  EXPECT_FALSE(owner.jobs[0].has_storage);
  EXPECT_TRUE(complete(owner.jobs[0], "done"));
  wait_until([&] { return !server.results.empty(); });
  EXPECT_THAT(server.results, ElementsAre("WORK_COMPLETE H:a:1 done"));
}

TEST_F(LinkTest, ABigJobComesWithItsStorage) {
  server.submit({"H:a:1", "f", std::string(100'000, 'x')});
  wait_for_a_job();
  EXPECT_TRUE(owner.jobs[0].has_storage);
  EXPECT_THAT(owner.jobs[0].workload, SizeIs(100'000));
}

TEST_F(LinkTest, ProgressOfAJobIsSentBeforeItsResult) {
  server.submit({"H:a:1", "f", ""});
  wait_for_a_job();
  link->send_status(1, "H:a:1", 1, 2);
  link->send_data(1, "H:a:1", "data");
  link->send_warning(1, "H:a:1", "warning");
  EXPECT_TRUE(complete(owner.jobs[0], "done"));
  wait_until([&] { return !server.results.empty(); });
  const auto& said = worker().said();
  EXPECT_THAT(std::vector(said.end() - 4, said.end()),
              ElementsAre("WORK_STATUS H:a:1 1 2", "WORK_DATA H:a:1 data", "WORK_WARNING H:a:1 warning",
                          "WORK_COMPLETE H:a:1 done"));
}

TEST_F(LinkTest, AJobOfAnUnknownFunctionClosesTheConnection) {
  wait_until([&] { return worker().asleep(); });
  server.answers_grabs = false;
  worker().send(from_server(PacketType::noop));
  wait_until([&] { return worker().count("GRAB_JOB_UNIQ") == 2; });
  worker().send(job_packet("H:a:1", "unknown"));
  wait_until([&] { return owner.connections_lost == 1; });
  EXPECT_THAT(link->state().why, testing::HasSubstr("never registered: unknown"));
}

TEST_F(LinkTest, ALostConnectionIsOpenedAgainAndOldResultsAreDropped) {
  server.submit({"H:a:1", "f", ""});
  wait_for_a_job();
  const auto old = owner.jobs[0];
  owner.jobs.clear();
  worker().close();
  wait_until([&] { return owner.connections_lost == 1; });
  EXPECT_FALSE(link->holds(old.generation));
  EXPECT_FALSE(complete(old, "too late"));
  wait_for_a_job();  // the server has queued it again
  EXPECT_GT(owner.jobs[0].generation, old.generation);
  EXPECT_FALSE(complete(old, "too late"));
  link->send_data(old.generation, old.handle, "too late");
  link->leave_unanswered(old.generation);
  EXPECT_TRUE(complete(owner.jobs[0], "done"));
  wait_until([&] { return !server.results.empty(); });
  EXPECT_THAT(server.results, ElementsAre("WORK_COMPLETE H:a:1 done"));
  EXPECT_EQ(worker(1).count("CAN_DO"), 2);
  EXPECT_EQ(worker(1).count("WORK_DATA"), 0);
  EXPECT_THAT(owner.changes, ElementsAre(true, false, true));
}

TEST_F(LinkTest, BytesThatAreNotOfAGearmandCloseTheConnection) {
  worker().send("HTTP/1.1 400 Bad Request\r\n\r\n");
  wait_until([&] { return owner.connections_lost == 1; });
  EXPECT_THAT(link->state().why, testing::HasSubstr("not a gearmand"));
}

TEST_F(LinkTest, AResultThatTheServerDoesNotKnowIsReported) {
  server.submit({"H:a:1", "f", ""});
  wait_for_a_job();
  EXPECT_TRUE(link->send_result(1, "H:other:1", JobResult::complete, ""));
  wait_until([&] { return owner.results_refused == 1; });
  EXPECT_EQ(owner.connections_lost, 0);
}

TEST_F(LinkTest, AddedFunctionsAreRegisteredNowAndOnTheNextConnection) {
  link->add_functions({"h"});
  wait_until([&] { return worker().count("CAN_DO h") == 1; });
  worker().close();
  wait_until([&] { return server.workers.size() == 2 && worker(1).count("CAN_DO") == 3; });
}

TEST_F(LinkTest, WithoutJobsRetireSendsTheClosingEchoAndCloses) {
  wait_until([&] { return worker().asleep(); });
  link->retire();
  wait_until([&] { return closed(); });
  EXPECT_EQ(worker().said().back(), "ECHO_REQ goodbye");
  EXPECT_FALSE(link->connected());
}

TEST_F(LinkTest, RetireWaitsForTheRunningJob) {
  server.submit({"H:a:1", "f", ""});
  wait_for_a_job();
  link->retire();
  net::run_ready(loop);
  EXPECT_FALSE(closed());
  EXPECT_EQ(link->grabs_wanted(), 0);
  EXPECT_TRUE(complete(owner.jobs[0], "done"));
  wait_until([&] { return closed(); });
  EXPECT_THAT(server.results, ElementsAre("WORK_COMPLETE H:a:1 done"));
  EXPECT_EQ(worker().said().back(), "ECHO_REQ goodbye");
}

TEST_F(LinkTest, RetireWhileAsleepWithARunningJobSendsOneWakeGrab) {
  owner.slots = 2;
  server.submit({"H:a:1", "f", ""});
  wait_for_a_job();
  wait_until([&] { return worker().asleep(); });
  const int grabs = worker().count("GRAB_JOB_UNIQ");
  link->retire();
  wait_until([&] { return worker().count("GRAB_JOB_UNIQ") == grabs + 1; });
  EXPECT_FALSE(worker().asleep());
  EXPECT_TRUE(complete(owner.jobs[0], "done"));
  wait_until([&] { return closed(); });
}

TEST_F(LinkTest, AJobThatIsLeftUnansweredIsQueuedAgainAfterTheClosingEcho) {
  server.submit({"H:a:1", "f", ""});
  wait_for_a_job();
  link->retire();
  link->leave_unanswered(owner.jobs[0].generation);
  wait_until([&] { return closed() && worker().ended(); });
  EXPECT_THAT(server.queue, SizeIs(1));
  EXPECT_THAT(server.results, IsEmpty());
}

TEST_F(LinkTest, StopClosesAtOnce) {
  server.submit({"H:a:1", "f", ""});
  wait_for_a_job();
  link->stop();
  wait_until([&] { return closed() && worker().ended(); });
  EXPECT_THAT(server.queue, SizeIs(1));
}

TEST_F(LinkTest, SubmissionsAreAnsweredInTheirOrder) {
  std::vector<Submitted> answers;
  const auto note = [&](Submitted what, std::string_view) { answers.push_back(what); };
  link->submit_background("dead", "u1", "letter", note);
  const auto forgotten = link->submit_background("dead", "u2", "letter", note);
  link->submit_background("dead", "u3", "letter", note);
  link->forget_submission(forgotten);
  EXPECT_THAT(answers, IsEmpty());
  wait_until([&] { return answers.size() == 2; });
  EXPECT_THAT(answers, ElementsAre(Submitted::accepted, Submitted::accepted));
  EXPECT_EQ(worker().count("SUBMIT_JOB_BG dead"), 3);
  link->forget_submission(forgotten);  // changes nothing
}

TEST_F(LinkTest, UnansweredSubmissionsAreLostWithTheConnection) {
  server.answers_submissions = false;
  std::vector<Submitted> answers;
  link->submit_background("dead", "u1", "letter",
                          [&](Submitted what, std::string_view) { answers.push_back(what); });
  wait_until([&] { return worker().count("SUBMIT_JOB_BG dead") == 1; });
  worker().close();
  wait_until([&] { return !answers.empty(); });
  EXPECT_THAT(answers, ElementsAre(Submitted::lost));
}

TEST_F(LinkTest, AServerThatDoesNotReadMakesTheLinkCongested) {
  EXPECT_FALSE(link->congested());
  server.submit({"H:a:1", "f", ""});
  wait_for_a_job();
  worker().pause_reading();
  const std::string data(32 * 1024 * 1024, 'x');
  link->send_data(1, "H:a:1", data);
  link->flush();
  EXPECT_TRUE(link->has_unsent());
  EXPECT_TRUE(link->congested());
  net::run_ready(loop);
  EXPECT_EQ(owner.times_writable, 0);
  worker().resume_reading();
  wait_until([&] { return owner.times_writable == 1; });
  EXPECT_FALSE(link->congested());
  EXPECT_TRUE(complete(owner.jobs[0], "done"));
  wait_until([&] { return !server.results.empty(); });
  EXPECT_EQ(owner.times_writable, 1);
}

TEST_F(LinkTest, WhoAsksWhetherALinkIsCongestedDoesNotChangeWhatOthersWaitFor) {
  server.submit({"H:a:1", "f", ""});
  wait_for_a_job();
  worker().pause_reading();
  LinkAccess::take_little(*link);
  link->send_data(1, "H:a:1", std::string(4 * 1024 * 1024, 'x'));
  link->flush();
  ASSERT_TRUE(link->congested()) << "the first one waits";
  worker().resume_reading();
  wait_until([&] { return LinkAccess::unsent(*link) < 1024 * 1024; });
  ASSERT_EQ(owner.times_writable, 0) << "many bytes are left";
  EXPECT_FALSE(link->congested()) << "the second one may send";
  wait_until([&] { return owner.times_writable == 1; });
  wait_until([&] { return !link->has_unsent(); });
}

TEST_F(LinkTest, ACongestedLinkIsWritableWhenItsConnectionIsLost) {
  server.submit({"H:a:1", "f", ""});
  wait_for_a_job();
  worker().pause_reading();
  link->send_data(1, "H:a:1", std::string(32 * 1024 * 1024, 'x'));
  link->flush();
  ASSERT_TRUE(link->congested());
  worker().close();
  wait_until([&] { return owner.times_writable == 1; });
}

TEST(Link, RetireBeforeTheFirstConnectionCloses) {
  asio::io_context loop;
  base::DeadlineWheel deadlines(loop);
  net::Resolver resolver(loop);
  Servers servers(deadlines);
  Owner owner(loop);
  const net::Address nowhere{"127.0.0.1", 1};
  const auto link = std::make_shared<Link>(resolver, deadlines, owner,
                                           Link::Settings{nowhere, servers[nowhere], "me", {"f"}, 10s});
  link->start();
  link->retire();
  EXPECT_EQ(owner.times_closed, 0);
  EXPECT_TRUE(net::run_until(loop, [&] { return owner.times_closed == 1; }));
  EXPECT_THAT(owner.changes, IsEmpty());
}

}  // namespace
}  // namespace driveshaft::gearman
