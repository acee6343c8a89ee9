// SPDX-License-Identifier: MIT
#include "cli/keys.h"

#include <gmock/gmock.h>

namespace driveshaft::cli {
namespace {

using Name = Key::Name;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(KeyDecoder, KnowsTheKeysOfEveryTerminal) {
  KeyDecoder decoder;
  EXPECT_THAT(decoder.feed("\x1b[A\x1b[B\x1b[5~\x1b[6~"),
              ElementsAre(Key{Name::up}, Key{Name::down}, Key{Name::page_up}, Key{Name::page_down}));
  EXPECT_THAT(decoder.feed("\x1bOA\x1bOB\x1bOH\x1bOF"),
              ElementsAre(Key{Name::up}, Key{Name::down}, Key{Name::home}, Key{Name::end}));
  EXPECT_THAT(decoder.feed("\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~"),
              ElementsAre(Key{Name::home}, Key{Name::end}, Key{Name::home}, Key{Name::end}, Key{Name::home},
                          Key{Name::end}));
  EXPECT_THAT(decoder.feed("q\r\t\x7f\b"),
              ElementsAre(Key{Name::character, "q"}, Key{Name::enter}, Key{Name::tab}, Key{Name::backspace},
                          Key{Name::backspace}));
  EXPECT_FALSE(decoder.is_unsure());
}

TEST(KeyDecoder, AKeyMayComeInParts) {
  KeyDecoder decoder;
  EXPECT_THAT(decoder.feed("\x1b"), IsEmpty());
  EXPECT_TRUE(decoder.is_unsure());
  EXPECT_THAT(decoder.feed("[5"), IsEmpty());
  EXPECT_THAT(decoder.feed("~x"), ElementsAre(Key{Name::page_up}, Key{Name::character, "x"}));
  EXPECT_THAT(decoder.feed("\xc3"), IsEmpty());
  EXPECT_THAT(decoder.feed("\xbc"), ElementsAre(Key{Name::character, "ü"}));
}

TEST(KeyDecoder, EscapeIsAKeyOfItsOwnWhenNothingFollows) {
  KeyDecoder decoder;
  EXPECT_THAT(decoder.feed("\x1b"), IsEmpty());
  EXPECT_THAT(decoder.give_up(), ElementsAre(Key{Name::escape}));
  EXPECT_FALSE(decoder.is_unsure());
  EXPECT_THAT(decoder.feed("\x1bq"), ElementsAre(Key{Name::escape}, Key{Name::character, "q"}));
}

TEST(KeyDecoder, WhatIsNoKeyIsLeftOut) {
  KeyDecoder decoder;
  EXPECT_THAT(decoder.feed("\x1b[1;5C\x1b[3~\x01\xff"
                           "a"),
              ElementsAre(Key{Name::character, "a"}));
  EXPECT_THAT(decoder.feed("\x1b[12"), IsEmpty());
  EXPECT_THAT(decoder.give_up(), IsEmpty()) << "half a sequence is not Escape";
  EXPECT_THAT(decoder.feed("b"), ElementsAre(Key{Name::character, "b"}));
}

}  // namespace
}  // namespace driveshaft::cli
