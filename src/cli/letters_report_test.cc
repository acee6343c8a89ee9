// SPDX-License-Identifier: MIT
#include "cli/letters_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace driveshaft::cli {
namespace {

using namespace std::chrono_literals;
using letters::Account;
using letters::Action;
using letters::Letter;
using letters::Place;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Verb = LettersOptions::Verb;

const Time kNow(784111777s);  // 1994-11-06 08:49:37
const Place kPlace{"a:4730", "dead"};

Letter letter(std::string handle, std::string_view workload, std::chrono::seconds age = 0s) {
  const dispatch::DeadLetter written{{"sum", "H:a:1", "u1", workload},
                                     "it \x1b[31mbroke",
                                     3,
                                     kNow - age - 1s,
                                     kNow - age,
                                     "Regular",
                                     "web1"};
  std::string text = encode(written);
  auto content = dispatch::read_dead_letter(text);
  return {std::move(handle), std::move(text), std::move(content)};
}

Letter broken(std::string text) {
  auto content = dispatch::read_dead_letter(text);
  return {"H:a:9", std::move(text), std::move(content)};
}

TEST(LetterTable, HasALineForEachLetterTheNewestLast) {
  LetterTable table(kNow);
  table.add(kPlace, letter("H:a:2", "x", 90s));
  table.add(kPlace, letter("H:a:3", "x", 3h));
  table.add(kPlace, broken("x\n"));
  EXPECT_THAT(
      table.lines({}),
      ElementsAre("AGE  FUNCTION          ATTEMPTS  HANDLE  JOB    SERVER  ERROR",
                  "  -  (no dead letter)         -  H:a:9   -      a:4730  it is not JSON: syntax error",
                  " 3h  sum                      3  H:a:3   H:a:1  a:4730  it \\x1b[31mbroke",
                  "90s  sum                      3  H:a:2   H:a:1  a:4730  it \\x1b[31mbroke"));
  EXPECT_THAT(LetterTable(kNow).lines({}), IsEmpty());
}

TEST(LetterTable, NamesTheDeadLetterFunctionsIfThereAreSeveral) {
  LetterTable table(kNow);
  table.add(kPlace, letter("H:a:2", "x"));
  table.add({"a:4730", "gone"}, letter("H:a:3", "x"));
  EXPECT_THAT(table.lines({}).front(), HasSubstr("SERVER  DEAD_LETTER_FUNCTION  ERROR"));
  EXPECT_THAT(table.lines({}).back(), HasSubstr("a:4730  gone "));
}

TEST(ShownLetter, HasEverything) {
  EXPECT_THAT(
      shown_letter(kPlace, letter("H:a:2", "\x1b[2J\n")),
      ElementsAre("dead letter           H:a:2", "server                a:4730", "dead_letter_function  dead",
                  "function              sum", "job                   H:a:1", "unique                u1",
                  "error                 it \\x1b[31mbroke", "attempts              3",
                  "arrived               1994-11-06 08:49:36 UTC",
                  "failed                1994-11-06 08:49:37 UTC", "pool                  Regular",
                  "host                  web1", "workload              5 bytes", "\\x1b[2J\\x0a"));
  EXPECT_THAT(
      shown_letter(kPlace, broken("\xff")),
      ElementsAre("dead letter           H:a:9", "server                a:4730", "dead_letter_function  dead",
                  HasSubstr("broken                it is no dead letter: it is not JSON"),
                  "workload              1 byte", "\\xff"));
}

TEST(JsonLine, IsTheLetterWithItsPlace) {
  EXPECT_EQ(json_line(kPlace, letter("H:a:2", "x"), ""),
            R"({"function_name":"sum","job_handle":"H:a:1","unique":"u1","workload":"x",)"
            R"("error":"it \u001b[31mbroke","attempts":3,"first_time":"1994-11-06T08:49:36.000Z",)"
            R"("last_time":"1994-11-06T08:49:37.000Z","pool":"Regular","host":"web1",)"
            R"("handle":"H:a:2","server":"a:4730","dead_letter_function":"dead"})");
  EXPECT_THAT(json_line(kPlace, letter("H:a:2", "x"), "H:a:7"), HasSubstr(R"("new_handle":"H:a:7"})"));
  EXPECT_THAT(json_line(kPlace, broken("x"), ""), AllOf(HasSubstr(R"({"broken":"it is not JSON)"),
                                                        HasSubstr(R"("workload":"x","handle":"H:a:9")")));
  EXPECT_THAT(json_line(kPlace, broken("\xff"), ""),
              HasSubstr(R"("workload":"/w==","workload_encoding":"base64")"));
}

TEST(NameOf, SaysWhereTheLetterIs) {
  EXPECT_EQ(name_of(kPlace, letter("H:a:2", "x")), "dead letter H:a:2 (sum) of dead at a:4730");
  EXPECT_EQ(name_of(kPlace, broken("x")), "dead letter H:a:9 of dead at a:4730");
}

TEST(Summary, IsASentence) {
  Account account(Action::rerun, {}, kNow);
  EXPECT_EQ(summary(Verb::rerun, false, account), "0 dead letters are run again");
  account.done();
  EXPECT_EQ(summary(Verb::rerun, false, account), "1 dead letter is run again");
  EXPECT_EQ(summary(Verb::delete_them, true, account), "1 dead letter would be deleted");
  account.done();
  account.has_to_stay();
  EXPECT_EQ(summary(Verb::delete_them, false, account), "2 dead letters are deleted, 1 stays");
  account.has_to_stay();
  static_cast<void>(account.judge(broken("x")));
  EXPECT_EQ(summary(Verb::rerun, true, account),
            "2 dead letters would be run again, 2 stay, 1 job that is no dead letter stays");
}

}  // namespace
}  // namespace driveshaft::cli
