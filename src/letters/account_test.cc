// SPDX-License-Identifier: MIT
#include "letters/account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace driveshaft::letters {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const std::chrono::system_clock::time_point kNow(1'800'000'000s);

Letter letter(std::string handle, std::chrono::seconds age = 60s, std::string function = "f",
              std::string error = "no") {
  dispatch::ReadLetter content;
  content.function = std::move(function);
  content.error = std::move(error);
  content.last = kNow - age;
  return {std::move(handle), "{}", std::move(content)};
}

Letter broken(std::string handle) { return {std::move(handle), "x", base::Error{"it is not JSON"}}; }

Fate fate(const Selection& selection, const Letter& one, Action action = Action::rerun) {
  return Account(action, selection, kNow).judge(one).fate;
}

TEST(Account, WithoutAFilterEveryLetterIsChosen) {
  for (const auto action : {Action::look, Action::rerun, Action::delete_it}) {
    EXPECT_EQ(fate({}, letter("H:1"), action), Fate::chosen);
  }
}

TEST(Account, EachFilterHasToHold) {
  EXPECT_EQ(fate({.function = "f"}, letter("H:1")), Fate::chosen);
  EXPECT_EQ(fate({.function = "g"}, letter("H:1")), Fate::passed_over);
  EXPECT_EQ(fate({.function = ""}, letter("H:1")), Fate::passed_over);
  EXPECT_EQ(fate({.error = "500"}, letter("H:1", 60s, "f", "HTTP status 500")), Fate::chosen);
  EXPECT_EQ(fate({.error = "500"}, letter("H:1", 60s, "f", "HTTP status 503")), Fate::passed_over);
  EXPECT_EQ(fate({.handles = {"H:1", "H:2"}}, letter("H:2")), Fate::chosen);
  EXPECT_EQ(fate({.handles = {"H:1"}}, letter("H:11")), Fate::passed_over);
  EXPECT_EQ(fate({.function = "f", .error = "x"}, letter("H:1")), Fate::passed_over);
  EXPECT_EQ(fate({.function = "g", .handles = {"H:1"}}, letter("H:1")), Fate::passed_over);
}

TEST(Account, AgeIsSinceTheJobFailed) {
  EXPECT_EQ(fate({.older_than = 60s}, letter("H:1", 60s)), Fate::chosen);
  EXPECT_EQ(fate({.older_than = 61s}, letter("H:1", 60s)), Fate::passed_over);
  EXPECT_EQ(fate({.newer_than = 61s}, letter("H:1", 60s)), Fate::chosen);
  EXPECT_EQ(fate({.newer_than = 60s}, letter("H:1", 60s)), Fate::passed_over);
  EXPECT_EQ(fate({.older_than = 50s, .newer_than = 70s}, letter("H:1", 60s)), Fate::chosen);
  EXPECT_EQ(fate({.newer_than = 1s}, letter("H:1", -60s)), Fate::chosen) << "of a clock that is ahead";
  auto undated = letter("H:1");
  undated.content->last.reset();
  EXPECT_EQ(fate({.older_than = 1s}, undated), Fate::passed_over);
  EXPECT_EQ(fate({.newer_than = 1h}, undated), Fate::passed_over);
  EXPECT_EQ(fate({}, undated), Fate::chosen);
}

TEST(Account, ATextThatIsNoLetterIsShownAndDeletedByItsHandle) {
  EXPECT_EQ(fate({}, broken("H:1"), Action::look), Fate::chosen);
  EXPECT_EQ(fate({.function = "f"}, broken("H:1"), Action::look), Fate::passed_over);
  EXPECT_EQ(fate({.older_than = 1s}, broken("H:1"), Action::delete_it), Fate::passed_over);
  EXPECT_EQ(fate({.handles = {"H:1"}}, broken("H:1"), Action::look), Fate::chosen);
  EXPECT_EQ(fate({.handles = {"H:1"}}, broken("H:1"), Action::delete_it), Fate::chosen);
  EXPECT_EQ(fate({.limit = 5}, broken("H:1"), Action::delete_it), Fate::stays);

  Account all(Action::delete_it, {}, kNow);
  const auto judgement = all.judge(broken("H:1"));
  EXPECT_EQ(judgement.fate, Fate::stays);
  EXPECT_EQ(judgement.why, "it is no dead letter: it is not JSON");
  EXPECT_EQ(all.broken_count(), 1U);
  EXPECT_EQ(all.stay_count(), 0U);

  Account named(Action::rerun, {.handles = {"H:1"}}, kNow);
  EXPECT_EQ(named.judge(broken("H:1")).fate, Fate::stays);
  EXPECT_EQ(named.stay_count(), 1U);
  EXPECT_EQ(named.broken_count(), 0U);
}

TEST(Account, ReportsHandlesWithoutALetter) {
  Account account(Action::look, {.handles = {"H:1", "H:2", "H:3"}}, kNow);
  EXPECT_EQ(account.judge(letter("H:2")).fate, Fate::chosen);
  EXPECT_EQ(account.judge(letter("H:4")).fate, Fate::passed_over);
  EXPECT_THAT(account.missing(), ElementsAre("H:1", "H:3"));
  EXPECT_THAT(Account(Action::look, {}, kNow).missing(), IsEmpty());

  Account limited(Action::look, {.handles = {"H:1", "H:2"}, .limit = 1}, kNow);
  EXPECT_EQ(limited.judge(letter("H:2")).fate, Fate::chosen);
  limited.done();
  EXPECT_THAT(limited.missing(), IsEmpty()) << "it was not looked for to the end";
}

TEST(Account, SelectsLettersByTheHandleOfTheirJob) {
  auto one = letter("H:7");
  one.content->handle = "H:1";
  Account account(Action::rerun, {.jobs = {"H:1", "H:7"}}, kNow);
  EXPECT_EQ(account.judge(one).fate, Fate::chosen);
  EXPECT_EQ(account.judge(one).fate, Fate::chosen) << "a job may be in two letters";
  EXPECT_EQ(account.judge(letter("H:1")).fate, Fate::passed_over)
      << "it is the dead letter that has this handle";
  EXPECT_EQ(account.judge(broken("H:1")).fate, Fate::passed_over);
  EXPECT_THAT(account.missing(), ElementsAre("of job H:7"));
}

TEST(Account, IsCompleteAtItsLimit) {
  Account account(Action::rerun, {.limit = 2}, kNow);
  account.done();
  account.has_to_stay();
  EXPECT_FALSE(account.is_complete());
  account.done();
  EXPECT_TRUE(account.is_complete());
  EXPECT_EQ(account.count(), 2U);
  Account all(Action::rerun, {}, kNow);
  all.done();
  EXPECT_FALSE(all.is_complete());
}

}  // namespace
}  // namespace driveshaft::letters
