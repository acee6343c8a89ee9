// SPDX-License-Identifier: MIT
#include "cli/letters_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/test_manuals.h"
#include "config/parse.h"

namespace driveshaft::cli {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using Verb = LettersOptions::Verb;

LettersOptions accepted(const std::vector<const char*>& arguments) {
  EXPECT_TRUE(is_letters(arguments));
  const auto options = parse_letters(arguments);
  EXPECT_TRUE(options) << options.error().message;
  return options ? *options : LettersOptions{};
}

std::string refused(const std::vector<const char*>& arguments) {
  const auto options = parse_letters(arguments);
  EXPECT_FALSE(options);
  return options ? "" : options.error().message;
}

TEST(LettersOptions, SelectServersFunctionsAndLetters) {
  EXPECT_FALSE(is_letters(std::vector<const char*>{"list"}));
  auto options = accepted({"letters", "list"});
  EXPECT_EQ(options.verb, Verb::list);
  EXPECT_EQ(options.selection, letters::Selection{});
  EXPECT_TRUE(options.needs_jobs_file());

  options = accepted({"letters",
                      "rerun",
                      "--server",
                      "a",
                      "--server=[::1]:99",
                      "--server",
                      "A:4730",
                      "--dead_letter_function",
                      "dead",
                      "--dead_letter_function",
                      "gone",
                      "--function",
                      "f",
                      "--older-than",
                      "1h",
                      "--newer-than",
                      "2d",
                      "--error",
                      "HTTP status 500",
                      "--limit",
                      "7",
                      "--handle",
                      "H:a:1",
                      "--job",
                      "H:a:2",
                      "--dry-run",
                      "--json",
                      "--timeout",
                      "5s"});
  EXPECT_EQ(options.verb, Verb::rerun);
  EXPECT_THAT(options.servers, ElementsAre(net::Address{"a", 4730}, net::Address{"::1", 99}));
  EXPECT_THAT(options.functions, ElementsAre("dead", "gone"));
  EXPECT_EQ(options.selection,
            (letters::Selection{"f", 3600s, 48h, "HTTP status 500", {"H:a:2"}, {"H:a:1"}, 7}));
  EXPECT_TRUE(options.dry_run && options.json);
  EXPECT_EQ(options.timeout, 5s);
  EXPECT_FALSE(options.needs_jobs_file());
  EXPECT_TRUE(accepted({"letters", "list", "--server", "a"}).needs_jobs_file());
  EXPECT_TRUE(accepted({"letters", "list", "--dead_letter_function", "a"}).needs_jobs_file());
}

TEST(LettersOptions, TakeHandlesAsTheyAre) {
  for (const char* verb : {"show", "rerun", "delete"}) {
    EXPECT_THAT(accepted({"letters", verb, "H:a:1", "--handle", "H:a:2", "H:a:1"}).selection.handles,
                ElementsAre("H:a:1", "H:a:2"));
  }
  EXPECT_THAT(refused({"letters", "list", "H:a:1"}),
              HasSubstr("unexpected argument \"H:a:1\" of letters list"));
}

TEST(LettersOptions, ShowNeedsNoHandleIfAJobIsGiven) {
  EXPECT_THAT(accepted({"letters", "show", "--job", "H:a:1", "--raw"}).selection.jobs, ElementsAre("H:a:1"));
  EXPECT_THAT(refused({"letters", "show", "--job", "H:a:1", "H:a:2", "--raw"}),
              HasSubstr("one dead letter alone"));
}

TEST(LettersOptions, RerunAndDeleteHaveToSayWhichLetters) {
  for (const char* verb : {"rerun", "delete"}) {
    EXPECT_THAT(refused({"letters", verb}), HasSubstr("expected handles or filters, or --all"));
    EXPECT_THAT(refused({"letters", verb, "--dry-run", "--json"}), HasSubstr("or --all"));
    EXPECT_THAT(refused({"letters", verb, "--all", "--function", "f"}), HasSubstr("leave one of them out"));
    EXPECT_THAT(refused({"letters", verb, ""}), HasSubstr("expected the handle of a letter"));
    EXPECT_THAT(refused({"letters", verb, "--error", ""}), HasSubstr("--error: expected a text"));
    EXPECT_EQ(accepted({"letters", verb, "--all"}).selection, letters::Selection{});
  }
}

TEST(LettersOptions, MistakesAreNamed) {
  EXPECT_THAT(refused({"letters"}), HasSubstr("expected list, show, rerun or delete, got \"\""));
  EXPECT_THAT(refused({"letters", "drop"}), HasSubstr("got \"drop\""));
  EXPECT_THAT(refused({"letters", "show"}), HasSubstr("expected the handles of dead letters"));
  EXPECT_THAT(refused({"letters", "show", "a", "b", "--raw"}),
              HasSubstr("--raw is for one dead letter alone"));
  EXPECT_THAT(refused({"letters", "show", "a", "--raw", "--json"}), HasSubstr("exclude each other"));
  EXPECT_THAT(refused({"letters", "list", "--all"}), HasSubstr("unknown option --all of letters list"));
  EXPECT_THAT(refused({"letters", "delete", "--al"}), HasSubstr("did you mean --all?"));
  EXPECT_THAT(refused({"letters", "list", "--older-than", "soon"}),
              HasSubstr("--older-than: expected a time"));
  EXPECT_THAT(refused({"letters", "list", "--limit", "0"}), HasSubstr("--limit: expected a whole number"));
  EXPECT_THAT(refused({"letters", "list", "--server", "a b"}), HasSubstr("--server: expected host"));
  EXPECT_THAT(refused({"letters", "list", "--timeout", "2h"}),
              HasSubstr("--timeout: expected a time from 1 to 3600 s, got \"2h\""));
}

TEST(LettersOptions, HelpIsForAllAndForOne) {
  EXPECT_TRUE(accepted({"letters", "--help"}).help);
  EXPECT_TRUE(accepted({"letters", "delete", "--help"}).help);
  EXPECT_THAT(letters_help_text(), HasSubstr("--older-than time"));
}

TEST(LettersOptions, AreListedInTheManuals) {
  EXPECT_EQ(listed("/docs/command-line.md", "## Letters", "| `--", '`'), letters_option_names());
  std::vector<std::string> man;
  for (auto name : letters_option_names()) {
    if (const auto space = name.find(' '); space != name.npos) name.replace(space, 1, " Ar ");
    man.push_back(name);
  }
  EXPECT_EQ(listed("/docs/driveshaft.1", ".Sh LETTERS", ".It Fl Fl ", '\n'), man);
}

class LettersOrder : public testing::Test {
 protected:
  void SetUp() override {
    const auto parsed = config::parse(R"({"gearman_servers_list": ["a", {"address": "b:1", "tls": {}}],
      "dead_letter_function": "dead",
      "pools_list": {
        "One": {"job_processing_uri": "http://h/", "worker_count": 1, "jobs_list": ["f"]},
        "Two": {"job_processing_uri": "http://h/", "worker_count": 1, "jobs_list": ["g"], "dead_letter_function": "gone"},
        "Same": {"job_processing_uri": "http://h/", "worker_count": 1, "jobs_list": ["h"]},
        "None": {"job_processing_uri": "http://h/", "worker_count": 1, "jobs_list": ["i"], "dead_letter_function": ""}}})");
    ASSERT_TRUE(parsed) << parsed.error().errors.front();
    config_ = parsed->config;
  }
  letters::Order order(const std::vector<const char*>& arguments) {
    const auto options = accepted(arguments);
    auto order = order_of(options, options.needs_jobs_file() ? &config_ : nullptr);
    EXPECT_TRUE(order) << order.error().message;
    return order ? *order : letters::Order{};
  }

  config::Config config_;
};

TEST_F(LettersOrder, WithoutOptionsComesFromTheJobsFile) {
  const auto all = order({"letters", "list"});
  EXPECT_EQ(all.servers, config_.servers);
  EXPECT_THAT(all.functions, ElementsAre("dead", "gone"));
}

TEST_F(LettersOrder, OptionsComeBeforeTheJobsFile) {
  const auto one = order({"letters", "list", "--server", "b:1", "--server", "c"});
  EXPECT_THAT(one.servers, ElementsAre(config_.servers[1], config::ServerConfig{{"c", 4730}}));
  EXPECT_THAT(one.functions, ElementsAre("dead", "gone"));
  const auto other = order({"letters", "list", "--dead_letter_function", "x"});
  EXPECT_EQ(other.servers, config_.servers);
  EXPECT_THAT(other.functions, ElementsAre("x"));
  const auto neither = order({"letters", "list", "--server", "b:1", "--dead_letter_function", "x"});
  EXPECT_EQ(neither.servers.at(0).tls, std::nullopt);
}

TEST_F(LettersOrder, NeedsADeadLetterFunction) {
  for (auto& pool : config_.pools) pool.settings.dead_letter_function.clear();
  const auto none = order_of(accepted({"letters", "list"}), &config_);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message,
              HasSubstr("name the function of the dead letters with --dead_letter_function"));
}

}  // namespace
}  // namespace driveshaft::cli
