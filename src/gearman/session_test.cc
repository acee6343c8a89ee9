// SPDX-License-Identifier: MIT
#include "gearman/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "gearman/test_packets.h"

namespace driveshaft::gearman {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using State = Session::State;

constexpr auto kPingAfter = 10s;
constexpr auto kDeadAfter = 30s;
constexpr auto kPoll = 7s;

class SessionTest : public testing::Test {
 protected:
  SessionTest() { said(); }

  std::vector<std::string> said() { return gearman::said(session.output()); }

  // Feeds bytes, and returns the name of each event.
  std::vector<std::string> feed(std::string_view bytes) {
    std::vector<std::string> events;
    Session::Event event;  // of all packets, as a link has it
    while (true) {
      const std::size_t taken = put(bytes);
      bytes.remove_prefix(taken);
      while (true) {
        if (const auto read = session.next(event); !read) {
          events.push_back("close: " + read.error().message);
          return events;
        }
        if (event.kind == Session::Event::Kind::needs_bytes) break;
        events.push_back(name_of(event));
      }
      if (bytes.empty()) return events;
    }
  }

  std::size_t put(std::string_view bytes) {
    std::size_t taken = 0;
    for (const auto& room : session.prepare()) {
      const std::size_t part = std::min(room.size(), bytes.size() - taken);
      if (part > 0) std::memcpy(room.data(), bytes.data() + taken, part);
      taken += part;
    }
    session.received(taken, now);
    return taken;
  }

  static std::string name_of(const Session::Event& event) {
    using enum Session::Event::Kind;
    switch (event.kind) {
      case needs_bytes:
        return "needs bytes";
      case nothing:
        return "nothing";
      case assigned:
        return "job " + std::string(event.job.handle) + " " + std::string(event.job.function) + " " +
               std::string(event.job.workload.substr(0, 16));
      case no_job:
        return "no job";
      case falls_back:
        return "falls back";
      case result_refused:
        return "result refused";
      case submission_accepted:
        return "accepted";
      case submission_refused:
        return "not accepted: " + event.error;
      case server_error:
        return "server error: " + event.error;
    }
    return "?";
  }

  // Time passes. The kernel of the server has acknowledged so many bytes.
  Session::OnTime at(Session::Clock::duration later, std::uint64_t acknowledged = 0, bool all = true) {
    now += later;
    return session.on_time(now, [&] { return Session::Sent{acknowledged, all}; });
  }

  // The first ping is answered.
  void greet() { EXPECT_THAT(feed(from_server(PacketType::echo_res, "ping")), ElementsAre("nothing")); }
  // A grab is answered by a job.
  void run_job(std::string_view handle = "H:a:1") {
    session.grab(1, now);
    feed(job_packet(handle));
    said();
  }
  void fall_asleep() {
    session.grab(1, now);
    EXPECT_THAT(feed(from_server(PacketType::no_job)), ElementsAre("no job"));
    EXPECT_EQ(said().back(), "PRE_SLEEP");
  }

  Session::Clock::time_point now{1000s};
  const std::vector<std::string> functions{"f", "g"};
  Session session{{"me", functions, kPingAfter, kDeadAfter, kPoll}, now};
};

TEST_F(SessionTest, BeginsWithClientIdPingAndFunctions) {
  Session another({"me", functions, kPingAfter, kDeadAfter, kPoll}, now);
  EXPECT_THAT(gearman::said(another.output()),
              ElementsAre("SET_CLIENT_ID me", "ECHO_REQ ping", "CAN_DO f", "CAN_DO g"));
  EXPECT_EQ(another.grabs_wanted(), 1);
}

TEST_F(SessionTest, AGrabIsAnsweredByAJob) {
  session.grab(1, now);
  EXPECT_THAT(said(), ElementsAre("GRAB_JOB_UNIQ"));
  EXPECT_THAT(feed(job_packet("H:a:7", "f", "abc")), ElementsAre("job H:a:7 f abc"));
  EXPECT_EQ(session.inflight(), 1);
}

TEST_F(SessionTest, JobsInFlightDoNotKeepItFromGrabbingMore) {
  run_job("H:a:1");
  EXPECT_EQ(session.grabs_wanted(), 2);
  session.grab(2, now);
  EXPECT_THAT(feed(job_packet("H:a:2") + job_packet("H:a:3")),
              ElementsAre("job H:a:2 f work", "job H:a:3 f work"));
  EXPECT_EQ(session.inflight(), 3);
}

TEST_F(SessionTest, NoJobPutsItToSleepWithPreSleep) {
  session.grab(1, now);
  said();
  EXPECT_THAT(feed(from_server(PacketType::no_job)), ElementsAre("no job"));
  EXPECT_THAT(said(), ElementsAre("PRE_SLEEP"));
  EXPECT_EQ(session.grabs_wanted(), 0);
}

TEST_F(SessionTest, NoJobWithOtherGrabsUnansweredWaitsForTheirAnswers) {
  run_job();
  session.grab(2, now);
  said();
  feed(from_server(PacketType::no_job));
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(session.grabs_wanted(), 0);
  feed(from_server(PacketType::no_job));
  EXPECT_THAT(said(), ElementsAre("PRE_SLEEP"));
}

TEST_F(SessionTest, NoopWakesIt) {
  fall_asleep();
  now += 100ms;
  EXPECT_THAT(feed(from_server(PacketType::noop)), ElementsAre("nothing"));
  EXPECT_EQ(session.grabs_wanted(), 1);
}

TEST_F(SessionTest, AfterNoopNoPreSleepIsSentBeforeAGrab) {
  fall_asleep();
  now += 100ms;
  feed(from_server(PacketType::noop) + from_server(PacketType::noop));
  at(kPoll);
  EXPECT_THAT(said(), IsEmpty()) << "without a grab the server would wake the connection no more";
  session.grab(1, now);
  feed(from_server(PacketType::no_job));
  EXPECT_THAT(said(), ElementsAre("GRAB_JOB_UNIQ", "PRE_SLEEP"));
}

TEST_F(SessionTest, TheWindowOfGrabsDoublesWithEachJobTo32) {
  for (const int window : {1, 2, 4, 8, 16, 32, 32}) {
    EXPECT_EQ(session.grabs_wanted(), window);
    session.grab(1, now);
    feed(job_packet());
  }
  session.grab(1, now);
  feed(from_server(PacketType::no_job));
  now += 1s;
  feed(from_server(PacketType::noop));
  EXPECT_EQ(session.grabs_wanted(), 1) << "NO_JOB sets it to 1";
}

TEST_F(SessionTest, WokenAtOnceFourTimesWithoutAJobItWaitsBeforeItGrabs) {
  for (int round = 0; round < 3; ++round) {
    fall_asleep();
    feed(from_server(PacketType::noop));
    EXPECT_EQ(session.grabs_wanted(), 1);
  }
  fall_asleep();
  feed(from_server(PacketType::noop));
  EXPECT_EQ(session.grabs_wanted(), 0);
  EXPECT_EQ(session.wake_at(), now + 10ms);
  at(10ms);
  EXPECT_EQ(session.grabs_wanted(), 1);
}

TEST_F(SessionTest, TheWorkloadOfAUniqueOf64BytesIsRepaired) {
  session.grab(1, now);
  const std::string cut(63, 'a');
  EXPECT_THAT(feed(job_packet("H:a:1", "f", std::string("\0load", 5), cut)), ElementsAre("job H:a:1 f load"));
}

TEST_F(SessionTest, OnlyABigJobHasStorageOfItsOwn) {
  session.grab(1, now);
  Session::Event event;
  put(job_packet("H:a:1", "f", "small"));
  ASSERT_TRUE(session.next(event));
  EXPECT_EQ(event.storage, nullptr);
  session.grab(1, now);
  const std::string big = job_packet("H:a:2", "f", std::string(100'000, 'x'));
  for (std::string_view rest = big; !rest.empty();) {
    rest.remove_prefix(put(rest));
    ASSERT_TRUE(session.next(event));
  }
  ASSERT_EQ(event.kind, Session::Event::Kind::assigned);
  ASSERT_NE(event.storage, nullptr);
  EXPECT_EQ(event.job.bytes.data(), event.storage.get());
}

TEST_F(SessionTest, NoopWhileAwakeChangesNothing) {
  session.grab(1, now);
  feed(from_server(PacketType::noop));
  EXPECT_EQ(session.grabs_wanted(), 0);
}

TEST_F(SessionTest, AsleepItPolls) {
  fall_asleep();
  EXPECT_EQ(session.wake_at(), now + kPoll);
  at(kPoll - 1ms);
  EXPECT_EQ(session.grabs_wanted(), 0);
  at(1ms);
  EXPECT_EQ(session.grabs_wanted(), 1);
}

TEST_F(SessionTest, RegisteringAFunctionWakesIt) {
  fall_asleep();
  session.add_functions({"h"});
  EXPECT_THAT(said(), ElementsAre("CAN_DO h"));
  EXPECT_EQ(session.grabs_wanted(), 1);
}

TEST_F(SessionTest, EachKindOfResultHasItsPackets) {
  for (const auto* handle : {"H:a:1", "H:a:2", "H:a:3", "H:a:4"}) run_job(handle);
  session.send_result("H:a:3", JobResult::complete, "done");
  session.send_result("H:a:1", JobResult::exception, "why");
  session.send_result("H:a:2", JobResult::warning_and_fail, "why");
  session.send_result("H:a:4", JobResult::fail, {});
  EXPECT_THAT(said(), ElementsAre("WORK_COMPLETE H:a:3 done", "WORK_EXCEPTION H:a:1 why",
                                  "WORK_WARNING H:a:2 why", "WORK_FAIL H:a:2", "WORK_FAIL H:a:4"));
  EXPECT_EQ(session.inflight(), 0);
}

TEST_F(SessionTest, ProgressOfARunningJobIsSent) {
  run_job();
  session.send_status("H:a:1", 3, 10);
  session.send_data("H:a:1", "chunk");
  session.send_warning("H:a:1", "careful");
  EXPECT_THAT(said(),
              ElementsAre("WORK_STATUS H:a:1 3 10", "WORK_DATA H:a:1 chunk", "WORK_WARNING H:a:1 careful"));
  EXPECT_EQ(session.inflight(), 1);
}

TEST_F(SessionTest, JobNotFoundIsAnEventAndTheConnectionStays) {
  EXPECT_THAT(feed(from_server(PacketType::error, std::string("JOB_NOT_FOUND\0Job given", 23))),
              ElementsAre("result refused"));
}

TEST_F(SessionTest, AServerThatDoesNotKnowGrabJobUniqIsSentGrabJob) {
  session.grab(1, now);
  said();
  EXPECT_THAT(feed(from_server(PacketType::error, std::string("unknown_command\0", 16))),
              ElementsAre("falls back"));
  EXPECT_EQ(session.dialect(), Dialect::perl);
  session.grab(session.grabs_wanted(), now);
  EXPECT_THAT(said(), ElementsAre("GRAB_JOB"));
}

TEST_F(SessionTest, AnswersToSubmissionsComeInTheirOrder) {
  session.submit_background("dead", "u1", "letter");
  session.submit_background("dead", "u2", "another");
  EXPECT_THAT(said(), ElementsAre("SUBMIT_JOB_BG dead u1 letter", "SUBMIT_JOB_BG dead u2 another"));
  EXPECT_THAT(feed(from_server(PacketType::job_created, "H:a:9") +
                   from_server(PacketType::error, std::string("QUEUE_FULL\0no more", 18))),
              ElementsAre("accepted", "not accepted: QUEUE_FULL: no more"));
}

TEST_F(SessionTest, EachSubmissionHasOneAnswer) {
  session.submit_background("dead", "u1", "letter");
  const auto created = from_server(PacketType::job_created, "H:a:9");
  EXPECT_THAT(feed(created + created), ElementsAre("accepted", HasSubstr("close: JOB_CREATED")));
}

TEST_F(SessionTest, AnErrorAfterTheAnswerToASubmissionAnswersNothing) {
  session.submit_background("dead", "u1", "letter");
  const auto error = from_server(PacketType::error, std::string("QUEUE_FULL\0no more", 18));
  EXPECT_THAT(feed(error + error),
              ElementsAre("not accepted: QUEUE_FULL: no more", "server error: QUEUE_FULL: no more"));
}

TEST_F(SessionTest, TenErrorsThatAnswerNoPacketCloseTheConnection) {
  const auto error = from_server(PacketType::error, std::string("ODD\0text", 8));
  for (int i = 1; i < 10; ++i) EXPECT_THAT(feed(error), ElementsAre("server error: ODD: text"));
  EXPECT_THAT(feed(error), ElementsAre(HasSubstr("close: it reported 10 errors")));
}

TEST_F(SessionTest, AJobWithoutAGrabClosesTheConnection) {
  EXPECT_THAT(feed(job_packet()), ElementsAre("close: a job without a grab"));
}

TEST_F(SessionTest, NoJobWithoutAGrabClosesTheConnection) {
  EXPECT_THAT(feed(from_server(PacketType::no_job)), ElementsAre("close: NO_JOB without a grab"));
}

TEST_F(SessionTest, JobCreatedWithoutASubmissionClosesTheConnection) {
  EXPECT_THAT(feed(from_server(PacketType::job_created, "H:a:1")),
              ElementsAre("close: JOB_CREATED without a submitted job"));
}

TEST_F(SessionTest, APacketMayComeByteByByte) {
  session.grab(1, now);
  const auto packet = job_packet("H:a:1", "f", std::string(100, 'x'));
  std::vector<std::string> events;
  for (const char byte : packet) {
    const auto more = feed({&byte, 1});
    events.insert(events.end(), more.begin(), more.end());
  }
  EXPECT_THAT(events, ElementsAre("job H:a:1 f xxxxxxxxxxxxxxxx"));
}

TEST_F(SessionTest, AGrabIsReportedLateOnce) {
  session.grab(1, now);
  EXPECT_EQ(session.wake_at(), now + 1s);
  EXPECT_FALSE(at(1s - 1ms).grabs_are_late);
  EXPECT_TRUE(at(1ms).grabs_are_late);
  EXPECT_GT(session.wake_at(), now);
  EXPECT_FALSE(at(1s).grabs_are_late) << "it is reported once";
}

TEST_F(SessionTest, NoJobRestartsTheTimeOfTheOtherGrabs) {
  run_job();
  session.grab(2, now);
  EXPECT_TRUE(at(1s).grabs_are_late);
  feed(from_server(PacketType::no_job));
  EXPECT_EQ(session.wake_at(), now + 1s);
  EXPECT_FALSE(at(1s - 1ms).grabs_are_late);
  EXPECT_TRUE(at(1ms).grabs_are_late);
}

TEST_F(SessionTest, TheGrabAfterTheFallBackMayBeLateAsWell) {
  session.grab(1, now);
  EXPECT_TRUE(at(1s).grabs_are_late);
  feed(from_server(PacketType::error, std::string("unknown_command\0", 16)));
  session.grab(1, now);
  EXPECT_TRUE(at(1s).grabs_are_late);
}

TEST_F(SessionTest, AWakeGrabMayBeLate) {
  run_job();
  fall_asleep();
  session.drain();
  now += 3s;
  session.wake_grab(now);
  EXPECT_EQ(session.wake_at(), now + 1s);
  EXPECT_FALSE(at(1s - 1ms).grabs_are_late);
  EXPECT_TRUE(at(1ms).grabs_are_late);
}

TEST_F(SessionTest, AnAnswerRestartsTheTimeOfTheOtherGrabs) {
  run_job();
  session.grab(2, now);
  EXPECT_TRUE(at(1s).grabs_are_late);
  feed(job_packet("H:a:2"));
  EXPECT_FALSE(at(1s - 1ms).grabs_are_late);
  EXPECT_TRUE(at(1ms).grabs_are_late);
}

TEST_F(SessionTest, ASilentServerIsPingedAndThenGivenUp) {
  greet();
  at(kPingAfter - 1ms);
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_FALSE(at(1ms).dead);
  EXPECT_THAT(said(), ElementsAre("ECHO_REQ ping"));
  EXPECT_FALSE(at(kDeadAfter - kPingAfter - 1ms).dead);
  EXPECT_THAT(said(), IsEmpty()) << "one ping at a time";
  const auto result = at(1ms);
  ASSERT_TRUE(result.dead);
  EXPECT_THAT(result.dead->message, HasSubstr("nothing came back for 30 s"));
}

TEST_F(SessionTest, WakeAtIsTheTimeOfEachPingAndOfTheEnd) {
  greet();
  const auto start = now;
  EXPECT_EQ(session.wake_at(), start + kPingAfter);
  at(kPingAfter);
  EXPECT_EQ(session.wake_at(), start + 2 * kPingAfter);
  at(kPingAfter + 1s);
  EXPECT_EQ(session.wake_at(), start + kDeadAfter);
  EXPECT_TRUE(at(kDeadAfter - 2 * kPingAfter - 1s).dead);
}

TEST_F(SessionTest, APingIsSentOnlyAfterSilence) {
  greet();
  const auto start = now;
  at(5s);
  feed(from_server(PacketType::noop));
  at(kPingAfter - 5s);
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(session.wake_at(), start + 5s + kPingAfter);
  at(5s);
  EXPECT_THAT(said(), ElementsAre("ECHO_REQ ping"));
}

TEST_F(SessionTest, AnyByteShowsThatTheServerIsAlive) {
  greet();
  at(kDeadAfter - 1s);
  const auto packet = from_server(PacketType::noop);
  feed({packet.data(), 1});
  EXPECT_FALSE(at(1s).dead);
}

TEST_F(SessionTest, AServerThatAcknowledgesAResultIsAlive) {
  greet();
  run_job();
  for (std::uint64_t acknowledged = 1; acknowledged < 20; ++acknowledged) {
    EXPECT_FALSE(at(kPingAfter, acknowledged, /*all=*/false).dead);
  }
  EXPECT_FALSE(at(kPingAfter, 19, false).dead);
  EXPECT_TRUE(at(kDeadAfter, 19, false).dead) << "it takes in no more bytes";
}

TEST_F(SessionTest, AServerThatHasAcknowledgedAllBytesHasToAnswer) {
  greet();
  for (std::uint64_t acknowledged = 1; acknowledged < 3; ++acknowledged) at(kPingAfter, acknowledged, true);
  EXPECT_TRUE(at(kPingAfter, 3, true).dead);
}

TEST_F(SessionTest, WithNothingToDoADrainSendsTheClosingEchoAtOnce) {
  greet();
  session.drain();
  EXPECT_EQ(session.state(), State::closing_echo_sent);
  EXPECT_THAT(said(), ElementsAre("ECHO_REQ goodbye"));
  feed(from_server(PacketType::echo_res, "goodbye"));
  EXPECT_EQ(session.state(), State::closing_echo_answered);
}

TEST_F(SessionTest, ADrainWaitsForJobsThatRun) {
  run_job();
  session.drain();
  EXPECT_EQ(session.state(), State::draining);
  EXPECT_EQ(session.grabs_wanted(), 0);
  EXPECT_THAT(said(), IsEmpty());
  session.send_result("H:a:1", JobResult::complete, "done");
  EXPECT_THAT(said(), ElementsAre("WORK_COMPLETE H:a:1 done", "ECHO_REQ goodbye"));
}

TEST_F(SessionTest, ADrainWaitsForUnansweredGrabs) {
  session.grab(1, now);
  session.drain();
  said();
  feed(job_packet());
  EXPECT_EQ(session.state(), State::draining);
  session.leave_unanswered();
  EXPECT_THAT(said(), ElementsAre("ECHO_REQ goodbye"));
}

TEST_F(SessionTest, ADrainSendsNoPreSleep) {
  session.grab(1, now);
  session.drain();
  said();
  feed(from_server(PacketType::no_job));
  EXPECT_THAT(said(), ElementsAre("ECHO_REQ goodbye"));
}

TEST_F(SessionTest, AsleepWithARunningJobADrainSendsOneWakeGrab) {
  run_job();
  fall_asleep();
  EXPECT_FALSE(session.wants_wake_grab());
  session.drain();
  EXPECT_TRUE(session.wants_wake_grab());
  session.wake_grab(now);
  EXPECT_THAT(said(), ElementsAre("GRAB_JOB_UNIQ"));
  EXPECT_FALSE(session.wants_wake_grab());
}

TEST_F(SessionTest, AnAnswerToAPingIsNotTheAnswerToTheClosingEcho) {
  session.drain();
  feed(from_server(PacketType::echo_res, "ping"));
  EXPECT_EQ(session.state(), State::closing_echo_sent);
}

TEST_F(SessionTest, NothingIsReadBehindTheAnswerToTheClosingEcho) {
  session.drain();
  EXPECT_THAT(feed(from_server(PacketType::echo_res, "goodbye") + from_server(PacketType::no_job)),
              ElementsAre("nothing"));
}

}  // namespace
}  // namespace driveshaft::gearman
