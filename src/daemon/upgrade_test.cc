// SPDX-License-Identifier: MIT
#include "daemon/upgrade.h"

#include <gmock/gmock.h>

#include <cerrno>

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Action = Upgrade::Action;
using Kind = Message::Kind;
using State = Upgrade::State;

Upgrade begun() {
  Upgrade upgrade;
  upgrade.begin("/bin/ds");
  return upgrade;
}

Upgrade taking_over() {
  Upgrade upgrade = begun();
  EXPECT_EQ(upgrade.on_message({Kind::ready}), Action::let_go);
  return upgrade;
}

Upgrade handed_over() {
  Upgrade upgrade = taking_over();
  EXPECT_EQ(upgrade.on_message({Kind::serving, "1.0"}), Action::hand_over);
  return upgrade;
}

TEST(Upgrade, SucceedsStepByStep) {
  Upgrade upgrade;
  EXPECT_EQ(upgrade.state(), State::idle);
  EXPECT_FALSE(upgrade.refusal({}));
  upgrade.begin("/bin/ds");
  EXPECT_EQ(upgrade.state(), State::starting);
  EXPECT_EQ(upgrade.on_message({Kind::ready}), Action::let_go);
  EXPECT_EQ(upgrade.state(), State::taking_over);
  EXPECT_EQ(upgrade.on_message({Kind::serving, "1.0"}), Action::hand_over);
  EXPECT_EQ(upgrade.state(), State::handed_over);
}

TEST(Upgrade, OnlyOneAtATimeAndOnlyWhereItCanWork) {
  EXPECT_THAT(*begun().refusal({}), HasSubstr("an upgrade is under way"));
  EXPECT_THAT(*taking_over().refusal({}), HasSubstr("an upgrade is under way"));
  EXPECT_THAT(*handed_over().refusal({.draining = true}), HasSubstr("another process has taken over"));
  EXPECT_THAT(*Upgrade().refusal({.draining = true}), HasSubstr("shutting down"));
  EXPECT_THAT(*Upgrade().refusal({.taking_over = true}), HasSubstr("an upgrade is under way"));
  EXPECT_THAT(*Upgrade().refusal({.is_init = true}), HasSubstr("start a new container"));
}

TEST(Upgrade, TheNewProcesssOwnReasonComesFirst) {
  Upgrade upgrade = begun();
  upgrade.on_stderr("driveshaft: the jobs file is broken\n");
  EXPECT_EQ(upgrade.on_message({Kind::failed, "jobs.json:\n  line 1\n  line 2"}), Action::nothing);
  EXPECT_EQ(upgrade.on_end(), Action::give_up);
  EXPECT_EQ(upgrade.reason(), "the new process ended: jobs.json: line 1; line 2");
  EXPECT_EQ(upgrade.state(), State::idle);
}

TEST(Upgrade, WithoutASentReasonTheLastLineOnStderrIsTheReason) {
  Upgrade upgrade = begun();
  upgrade.on_stderr("first\nlibfmt.so.9: cannot open ");
  upgrade.on_stderr("shared object file\n\n");
  EXPECT_EQ(upgrade.on_end(), Action::give_up);
  EXPECT_EQ(upgrade.reason(),
            "the new process ended; it said last: libfmt.so.9: cannot open shared object file");
}

TEST(Upgrade, WithoutAnyTextTheReasonIsThatItEnded) {
  for (Upgrade upgrade : {begun(), taking_over()}) {
    EXPECT_EQ(upgrade.on_end(), Action::give_up);
    EXPECT_EQ(upgrade.reason(), "the new process ended and gave no reason");
  }
}

TEST(Upgrade, AReasonIsOnePrintableLineOfBoundedLength) {
  Upgrade upgrade = begun();
  for (int i = 0; i < 1000; ++i) upgrade.on_stderr(std::string(1000, '\x01'));
  upgrade.on_end();
  EXPECT_LT(upgrade.reason().size(), 5000U);
  EXPECT_EQ(upgrade.reason().find('\x01'), std::string::npos);
}

TEST(Upgrade, AProgramThatCannotBeExecutedIsTheReason) {
  Upgrade upgrade = begun();
  EXPECT_EQ(upgrade.on_message({.kind = Kind::not_executed, .number = ENOENT}), Action::give_up);
  EXPECT_EQ(upgrade.reason(), "the program /bin/ds cannot be started: No such file or directory");
  EXPECT_EQ(upgrade.on_end(), Action::nothing) << "said once";
}

TEST(Upgrade, ANewProcessThatTakesTooLongIsGivenUp) {
  Upgrade starting = begun();
  EXPECT_EQ(starting.on_time_out(), Action::give_up);
  EXPECT_EQ(starting.reason(), "the new process was not ready within 30 s");
  Upgrade connecting = taking_over();
  EXPECT_EQ(connecting.on_time_out(), Action::give_up);
  EXPECT_EQ(connecting.reason(), "the new process did not connect to gearmand within 30 s");
  EXPECT_EQ(handed_over().on_time_out(), Action::nothing);
}

TEST(Upgrade, AShutdownEndsTheUpgrade) {
  Upgrade upgrade = begun();
  EXPECT_EQ(upgrade.on_drain(), Action::give_up);
  EXPECT_EQ(upgrade.reason(), "the daemon is shutting down");
  EXPECT_EQ(taking_over().on_drain(), Action::send_away) << "it may have jobs";
  EXPECT_EQ(handed_over().on_drain(), Action::nothing);
}

TEST(Upgrade, AfterAFailureTheNextUpgradeMaySucceed) {
  Upgrade upgrade = begun();
  upgrade.on_stderr("broken\n");
  upgrade.on_message({Kind::failed, "broken"});
  upgrade.on_end();
  EXPECT_FALSE(upgrade.refusal({}));
  upgrade.begin("/bin/ds");
  EXPECT_EQ(upgrade.reason(), "");
  EXPECT_EQ(upgrade.on_end(), Action::give_up);
  EXPECT_EQ(upgrade.reason(), "the new process ended and gave no reason");
}

TEST(Upgrade, MessagesOutOfTurnDoNothing) {
  Upgrade idle;
  EXPECT_EQ(idle.on_message({Kind::ready}), Action::nothing);
  Upgrade starting = begun();
  EXPECT_EQ(starting.on_message({Kind::serving}), Action::nothing);
  Upgrade done = handed_over();
  for (const Kind kind : {Kind::ready, Kind::failed, Kind::serving, Kind::not_executed}) {
    EXPECT_EQ(done.on_message({kind}), Action::nothing);
  }
  EXPECT_EQ(done.state(), State::handed_over);
}

TEST(Upgrade, ANewProcessServesOnceItIsConnectedAsTheOldOneWas) {
  EXPECT_TRUE(is_connected(0, 0, 0ms)) << "no gearmand can be reached";
  EXPECT_FALSE(is_connected(0, 3, 10s));
  EXPECT_FALSE(is_connected(2, 3, 100ms));
  EXPECT_TRUE(is_connected(3, 3, 0ms));
  EXPECT_TRUE(is_connected(4, 3, 0ms));
  EXPECT_TRUE(is_connected(1, 3, 2s)) << "a server may have gone meanwhile";
}

}  // namespace
}  // namespace driveshaft::daemon
