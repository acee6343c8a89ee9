// SPDX-License-Identifier: MIT
#include "cli/table.h"

#include <gmock/gmock.h>

namespace driveshaft::cli {
namespace {

using testing::ElementsAre;

TEST(Cut, AtTheEndOrInTheMiddle) {
  EXPECT_EQ(cut("very-long-name", 14), "very-long-name");
  EXPECT_EQ(cut("very-long-name", 10), "very-long…");
  EXPECT_EQ(cut("very-long-name", 0), "very-long-name") << "0 cuts nothing";
  EXPECT_EQ(cut_in_middle("very-long-name", 14), "very-long-name");
  EXPECT_EQ(cut_in_middle("very-long-pool-name", 14), "very-lo…l-name");
  EXPECT_EQ(cut_in_middle("very-long-pool-name", 9), "very…name");
  EXPECT_EQ(cut_in_middle("äöüäöüäöü", 5), "äö…öü") << "characters, not bytes";
  EXPECT_EQ(cut_in_middle("abc", 1), "…");
}

TEST(Wrapped, BreaksAtSpaces) {
  EXPECT_THAT(wrapped("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped("one two three", 0), ElementsAre("one two three"));
  EXPECT_THAT(wrapped("unbreakable", 3), ElementsAre("unbreakable"));
}

Table table() {
  Table table(std::vector<Column>{{.head = "NAME", .left = true, .least = 8, .cut_in_middle = true},
                                  {.head = "A", .goes = 2},
                                  {.head = "B"},
                                  {.head = "WHY", .left = true, .goes = 1, .least = 4}});
  table.add({{"a-rather-long-name"}, {"100"}, {"1"}, {"because of that"}});
  table.add({{"short"}, {"7"}, {"2000"}, {""}});
  return table;
}

TEST(Table, WithoutALimitIsAsWideAsItsTexts) {
  EXPECT_THAT(table().lines({}),
              ElementsAre("NAME                  A     B  WHY",
                          "a-rather-long-name  100     1  because of that", "short                 7  2000"));
}

TEST(Table, CutsTextsEquallyBeforeAColumnIsLeftOut) {
  EXPECT_THAT(table().lines({.width = 40}),
              ElementsAre("NAME                A     B  WHY",  //
                          "a-rather…ng-name  100     1  because of…", "short               7  2000"));
  EXPECT_THAT(table().lines({.width = 25}), ElementsAre("NAME        A     B  WHY",  //
                                                        "a-ra…ame  100     1  bec…", "short       7  2000"));
}

TEST(Table, LeavesOutWholeColumnsInTheirOrder) {
  EXPECT_THAT(table().lines({.width = 24}),
              ElementsAre("NAME             A     B",  //
                          "a-rath…g-name  100     1", "short            7  2000"));
  EXPECT_THAT(table().lines({.width = 18}), ElementsAre("NAME             B",  //
                                                        "a-rath…-name     1", "short         2000"));
  EXPECT_THAT(table().lines({.width = 14}), ElementsAre("NAME         B",  //
                                                        "a-ra…ame     1", "short     2000"));
}

TEST(Table, NeverExceedsItsWidth) {
  for (std::size_t width = 1; width < 60; ++width) {
    for (const auto& line : table().lines({.width = width})) EXPECT_LE(columns(line), width) << line;
  }
}

TEST(Table, Colors) {
  Table table({"NAME", "STATE"}, 1);
  table.add({{"a", kBold}, {"down", kRed}});
  EXPECT_EQ(table.lines({.color = true}).back(), "\x1b[1ma   \x1b[0m  \x1b[31mdown\x1b[0m");
}

}  // namespace
}  // namespace driveshaft::cli
