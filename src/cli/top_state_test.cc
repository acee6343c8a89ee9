// SPDX-License-Identifier: MIT
#include "cli/top_state.h"

#include <gtest/gtest.h>

namespace driveshaft::cli {
namespace {

using List = TopState::List;
using Name = Key::Name;

bool type(TopState& state, std::string_view text) {
  bool goes_on = true;
  for (const char c : text) goes_on = press(state, {Name::character, std::string(1, c)}) && goes_on;
  return goes_on;
}

TEST(TopState, QEndsItUnlessItIsPartOfAFilter) {
  TopState state;
  EXPECT_TRUE(type(state, "/q"));
  EXPECT_EQ(state.filter, "q");
  press(state, {Name::enter});
  EXPECT_FALSE(type(state, "q"));
  EXPECT_EQ(state.filter, "q");
}

TEST(TopState, AFilterIsTypedKeptAndCleared) {
  TopState state;
  state.list = List::servers;
  state.first = 7;
  type(state, "/mail\xc3\xbc");
  EXPECT_TRUE(state.is_typing);
  EXPECT_EQ(state.list, List::pools) << "the filter is of pools";
  EXPECT_EQ(state.first, 0U);
  press(state, {Name::backspace});
  EXPECT_EQ(state.filter, "mail") << "a character of two bytes is one";
  press(state, {Name::enter});
  EXPECT_FALSE(state.is_typing);
  EXPECT_EQ(state.filter, "mail");
  press(state, {Name::escape});
  EXPECT_EQ(state.filter, "");
  type(state, "/x");
  press(state, {Name::escape});
  EXPECT_FALSE(state.is_typing);
  EXPECT_EQ(state.filter, "");
  type(state, "/");
  press(state, {Name::backspace});
  EXPECT_EQ(state.filter, "") << "there is nothing to take away";
}

TEST(TopState, TheLengthOfAFilterIsLimited) {
  TopState state;
  type(state, "/" + std::string(1000, 'x'));
  EXPECT_EQ(state.filter.size(), 200U);
}

TEST(TopState, EShowsBackendsAndHidesThem) {
  TopState state;
  state.list = List::servers;
  type(state, "e");
  EXPECT_TRUE(state.backends);
  EXPECT_EQ(state.list, List::pools);
  type(state, "e");
  EXPECT_FALSE(state.backends);
}

TEST(TopState, KeysThatSort) {
  TopState state;
  for (const auto& [key, sort] : {std::pair{"n", Sort::name},
                                  {"b", Sort::busy},
                                  {"f", Sort::failed},
                                  {"w", Sort::waiting},
                                  {"t", Sort::trouble}}) {
    state.first = 5;
    type(state, key);
    EXPECT_EQ(state.sort, sort) << key;
    EXPECT_EQ(state.first, 0U) << "the first is what was asked for";
  }
}

TEST(TopState, KeysThatScroll) {
  TopState state;
  state.room = 10;
  const auto after = [&](Name key) {
    press(state, {key});
    return state.first;
  };
  EXPECT_EQ(after(Name::up), 0U);
  EXPECT_EQ(after(Name::down), 1U);
  EXPECT_EQ(after(Name::page_down), 11U);
  EXPECT_EQ(after(Name::page_up), 1U);
  EXPECT_EQ(after(Name::page_up), 0U);
  EXPECT_GT(after(Name::end), 1'000'000U);
  EXPECT_EQ(after(Name::home), 0U);
}

TEST(TopState, TabSelectsTheNextList) {
  TopState state;
  state.first = 3;
  press(state, {Name::tab});
  EXPECT_EQ(state.list, List::servers);
  EXPECT_EQ(state.first, 0U);
  press(state, {Name::tab});
  EXPECT_EQ(state.list, List::problems);
  press(state, {Name::tab});
  EXPECT_EQ(state.list, List::pools);
}

}  // namespace
}  // namespace driveshaft::cli
