// SPDX-License-Identifier: MIT
#include "daemon/letter_rerun.h"

#include <gtest/gtest.h>

namespace driveshaft::daemon {
namespace {

TEST(LetterRerun, SaysWhatWasDoneAndWhatIsLeft) {
  const struct {
    Rerun rerun;
    unsigned status;
    const char* text;
  } cases[] = {
      {{.function = "dead", .done = 1, .waited = 1}, 200, "1 dead letter of dead is run again"},
      {{.function = "dead", .done = 12, .waited = 13},
       200,
       "12 dead letters of dead are run again, 1 is left"},
      {{.function = "dead", .done = 2, .waited = 5, .stays = "it is no dead letter: empty"},
       200,
       "2 dead letters of dead are run again, 3 are left; the first of those that have to stay: it is no "
       "dead letter: "
       "empty"},
      {{.function = "dead", .done = 2, .waited = 5, .saw_all = false, .ended = "it has ended after 20 s"},
       200,
       "2 dead letters of dead are run again, at least 3 are left; it has ended after 20 s"},
      {{.function = "dead", .done = 5, .waited = 5, .saw_all = false},
       200,
       "5 dead letters of dead are run again"},
      {{.function = "dead",
        .done = 1,
        .waited = 1,
        .elsewhere = 2,
        .lost = {"gearmand a:1: away"},
        .saw_all = false},
       200,
       "1 dead letter of dead is run again; 2 dead letters of dead are with another worker now; gearmand "
       "a:1: away"},
      {{.function = "dead"}, 404, "no dead letter of dead waits"},
      {{.function = "dead", .waited = 2}, 409, "0 dead letters of dead are run again, 2 are left"},
      {{.function = "dead", .elsewhere = 1},
       409,
       "0 dead letters of dead are run again; 1 dead letter of dead is with another worker now"},
      {{.function = "dead", .lost = {"gearmand a:1: away"}, .saw_all = false},
       409,
       "0 dead letters of dead are run again; gearmand a:1: away"},
      // More letters were run again than there were at the beginning, because others came meanwhile.
      {{.function = "d\n", .done = 3, .waited = 2}, 200, "3 dead letters of d\\x0a are run again"},
  };
  for (const auto& one : cases) {
    const auto result = to_result(one.rerun);
    EXPECT_EQ(result.status, one.status) << one.text;
    EXPECT_EQ(result.text, one.text);
  }
}

}  // namespace
}  // namespace driveshaft::daemon
