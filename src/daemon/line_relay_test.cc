// SPDX-License-Identifier: MIT
#include "daemon/line_relay.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace driveshaft::daemon {
namespace {

using Pieces = std::vector<std::string>;

Pieces write_all(LineRelay& relay, std::size_t most) {
  Pieces pieces;
  while (!relay.next(most).empty()) {
    pieces.emplace_back(relay.next(most));
    relay.remove(pieces.back().size());
  }
  return pieces;
}

TEST(LineRelay, HoldsALineUntilItsEndIsThere) {
  LineRelay relay;
  relay.add("one\ntw");
  EXPECT_EQ(write_all(relay, 100), Pieces{"one\n"});
  relay.add("o");
  EXPECT_EQ(write_all(relay, 100), Pieces{});
  relay.add("\nthree\n");
  EXPECT_EQ(write_all(relay, 100), Pieces{"two\nthree\n"});
}

TEST(LineRelay, WritesAsManyWholeLinesAtOnceAsFit) {
  LineRelay relay;
  relay.add("12\n45\n78\n");
  EXPECT_EQ(write_all(relay, 6), (Pieces{"12\n45\n", "78\n"}));
  relay.add("12\n45\n78\n");
  EXPECT_EQ(write_all(relay, 8), (Pieces{"12\n45\n", "78\n"}));
}

TEST(LineRelay, KeepsWhatWasNotWritten) {
  LineRelay relay;
  relay.add("12\n45\n");
  relay.remove(1);
  EXPECT_EQ(write_all(relay, 100), Pieces{"2\n45\n"});
}

TEST(LineRelay, WritesALineThatIsTooLongForOnceInPieces) {
  LineRelay relay;
  relay.add("12345678");
  EXPECT_EQ(write_all(relay, 3), Pieces{}) << "its end is not there";
  relay.add("9\nab\n");
  EXPECT_EQ(write_all(relay, 4), (Pieces{"1234", "5678", "9\n", "ab\n"}));
}

TEST(LineRelay, WritesTheLastLineWithoutItsEnd) {
  LineRelay relay;
  relay.add("one\ncannot open ");
  relay.end();
  EXPECT_EQ(write_all(relay, 100), Pieces{"one\ncannot open "});
  relay.add("123456");
  EXPECT_EQ(write_all(relay, 4), (Pieces{"1234", "56"}));
}

TEST(LineRelay, HoldsALimitedAmount) {
  LineRelay relay;
  relay.add(std::string(LineRelay::kMostHeld - 1, 'x'));
  EXPECT_EQ(relay.next(10), "");
  relay.add("x");
  EXPECT_EQ(relay.next(10), "xxxxxxxxxx");
}

}  // namespace
}  // namespace driveshaft::daemon
