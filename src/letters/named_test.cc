// SPDX-License-Identifier: MIT
#include "letters/named.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace driveshaft::letters {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const Place kOne{"one:4730", "dead"};
const Place kOther{"other:4730", "dead"};

Letter letter(const std::string& handle, std::string job = "H:1", std::string workload = "x") {
  dispatch::ReadLetter content;
  content.function = "f";
  content.handle = std::move(job);
  content.workload = std::move(workload);
  return {handle, "{}", std::move(content), handle};
}

Letter renewed(const std::string& handle, std::string taken_as) {
  Letter one = letter(handle);
  one.taken_as = std::move(taken_as);
  return one;
}

TEST(Named, ALookIsNeededIfSeveralLettersMayHaveAHandle) {
  for (const auto action : {Action::rerun, Action::delete_it}) {
    EXPECT_FALSE(is_look_needed(action, {.handles = {"H:1"}}, 1));
    EXPECT_TRUE(is_look_needed(action, {.handles = {"H:1"}}, 2));
    EXPECT_TRUE(is_look_needed(action, {.jobs = {"H:1"}}, 1));
    EXPECT_FALSE(is_look_needed(action, {.function = "f"}, 2));
  }
  EXPECT_FALSE(is_look_needed(Action::look, {.jobs = {"H:1"}, .handles = {"H:1"}}, 2));
}

TEST(Named, ALetterHandleOnTwoServersIsAmbiguous) {
  Named named({.handles = {"H:1", "H:2"}});
  named.add(kOne, letter("H:1"));
  named.add(kOther, letter("H:2"));
  EXPECT_THAT(named.ambiguities(), IsEmpty());
  named.add(kOther, letter("H:1"));
  EXPECT_THAT(
      named.ambiguities(),
      ElementsAre("there are dead letters H:1 at one:4730 and other:4730; name the server that is meant "
                  "with --server"));
}

TEST(Named, ATextThatIsNoLetterCountsForAmbiguity) {
  Named named({.handles = {"H:1"}});
  named.add(kOne, letter("H:1"));
  named.add(kOther, {"H:1", "x", base::Error{"it is not JSON"}, "H:1"});
  EXPECT_EQ(named.ambiguities().size(), 1U);
}

TEST(Named, AJobHandleOnTwoServersIsAmbiguous) {
  Named named({.jobs = {"H:1"}});
  named.add(kOne, letter("H:7"));
  named.add(kOther, letter("H:8"));
  EXPECT_THAT(
      named.ambiguities(),
      ElementsAre("there are dead letters of job H:1 at one:4730 and other:4730; name the server that is "
                  "meant with --server"));
}

TEST(Named, AJobMayBeInSeveralLetters) {
  Named named({.jobs = {"H:1"}});
  named.add(kOne, letter("H:7"));
  named.add(kOne, letter("H:8"));
  EXPECT_THAT(named.ambiguities(), IsEmpty());
  named.add(kOne, letter("H:9", "H:1", "another"));
  EXPECT_THAT(
      named.ambiguities(),
      ElementsAre(
          "there are dead letters of several jobs H:1 at one:4730; name the dead letters that are meant "
          "by their own handles, which driveshaft letters list has"));
}

TEST(Named, ChoosesTheLettersByTheirCurrentHandles) {
  Named named({.error = "no", .handles = {"H:1", "H:2"}, .limit = 3});
  named.add(kOne, renewed("H:1", "H:2"));
  named.add(kOther, renewed("H:5", "H:1"));
  EXPECT_THAT(named.ambiguities(), IsEmpty());
  EXPECT_THAT(named.letters(), ElementsAre(Pair("one:4730", "H:1"), Pair("other:4730", "H:5")));
  const Selection expected{.error = "no", .handles = {"H:1", "H:5"}, .limit = 3};
  EXPECT_EQ(named.selection(), expected);
}

TEST(Named, JobsWithoutALetterAreNotLookedForAgain) {
  Named named({.jobs = {"H:1", "H:none"}});
  named.add(kOne, letter("H:7"));
  EXPECT_THAT(named.selection().jobs, ElementsAre("H:1"));
  EXPECT_THAT(named.selection().handles, ElementsAre("H:7"));
}

}  // namespace
}  // namespace driveshaft::letters
