// SPDX-License-Identifier: MIT
#include "dispatch/failure_hint.h"

#include <gtest/gtest.h>

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;

TEST(FailureHint, SaysWhetherTheJobMayHaveRun) {
  EXPECT_EQ(explain_failure("cannot connect", {AttemptEnd::unreachable}),
            "cannot connect; the job did not run");
  EXPECT_EQ(explain_failure("the connection broke", {AttemptEnd::connection_lost, 0, 1s, true}),
            "the connection broke; the job may have run");
}

TEST(FailureHint, SaysNothingWhereTheEndpointItselfFailedTheJob) {
  EXPECT_EQ(explain_failure("gearman_ret 1", {AttemptEnd::refused, 0, 1s, true}), "gearman_ret 1");
}

TEST(FailureHint, For504NamesTheTimeoutsOfNginxUnlessItCameAtOnce) {
  EXPECT_EQ(explain_failure("HTTP status 504", {AttemptEnd::server_error, 504, 60'020ms, true}),
            "HTTP status 504; it came after 60 s: nginx answers so when fastcgi_read_timeout or "
            "proxy_read_timeout is over, 60 s unless set; the job may have run");
  EXPECT_EQ(explain_failure("HTTP status 504", {AttemptEnd::server_error, 504, 900ms, true}),
            "HTTP status 504; the job may have run");
}

TEST(FailureHint, ForOtherStatusesSaysWhereToLook) {
  EXPECT_EQ(explain_outage("HTTP status 502", {AttemptEnd::absent, 502, 1s, true}),
            "HTTP status 502; nginx answers so when it does not reach php-fpm, when php-fpm and its listen "
            "backlog are full, or when the process there has died: its error log says which");
  FailureFacts redirect{.end = AttemptEnd::other_status, .status = 302};
  EXPECT_EQ(explain_outage("HTTP status 302", redirect),
            "HTTP status 302; it redirects, and redirects are not followed: if that is a login page, exempt "
            "this path from the login, otherwise give that URI as job_processing_uri");
  redirect.location = "https://shop.example/login?token=secret";
  EXPECT_THAT(explain_outage("HTTP status 302", redirect),
              testing::StartsWith("HTTP status 302; it redirects to https://shop.example/login, and "));
  EXPECT_EQ(
      explain_outage("HTTP status 500", {.end = AttemptEnd::server_error, .status = 500, .is_empty = true}),
      "HTTP status 500; PHP's error log says why");
  EXPECT_EQ(explain_outage("HTTP status 500", {AttemptEnd::server_error, 500, 1s, true}), "HTTP status 500");
}

TEST(FailureHint, For413NamesTheLimitOfNginx) {
  EXPECT_EQ(
      explain_failure("HTTP status 413", {AttemptEnd::other_status, 413, 1ms, true}),
      "HTTP status 413; nginx answers so to a body above its client_max_body_size, 1 MB unless set; the "
      "job may have run");
}

TEST(FailureHint, ForAnEmptyAnswerNamesTheScriptAndTheGateway) {
  EXPECT_EQ(
      explain_failure("the answer is empty", {AttemptEnd::empty_answer, 200, 1ms, true}),
      "the answer is empty; a script that prints nothing answers so, and nginx does when php-fpm kills a "
      "running script at a reload or restart (process_control_timeout of php-fpm lets it finish); the "
      "job may have run");
}

std::string shown(std::string_view body) { return show_answer(body, 240); }

TEST(ShowAnswer, ShowsTheTitleOfAnHtmlPage) {
  EXPECT_EQ(shown("<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>…"),
            "an HTML page, \"504 Gateway Time-out\"");
  EXPECT_EQ(shown("<!DOCTYPE html><HTML><TITLE>\n  Not\n <b>found</b>\x1b </TITLE>"),
            "an HTML page, \"Not found\\x1b\"");
  EXPECT_EQ(shown("<h1>Oops</h1>"), "\"<h1>Oops</h1>\"");
  EXPECT_EQ(shown("<html><title>cut off"), "\"<html><title>cut off\"");
  EXPECT_EQ(shown("<html><title></title>"), "\"<html><title></title>\"");
}

TEST(ShowAnswer, ShowsTheFirstLineOfAPhpErrorWithoutTags) {
  EXPECT_EQ(shown("<br />\n<b>Fatal error</b>:  Uncaught Exception: no database in /srv/app/job.php:3\n"
                  "Stack trace:\n#0 {main}\n  thrown in <b>/srv/app/job.php</b> on line <b>3</b><br />\n"),
            "\"Fatal error: Uncaught Exception: no database in /srv/app/job.php:3\"");
  EXPECT_EQ(shown("PHP Parse error:  syntax error, unexpected end of file in /srv/app/job.php on line 9"),
            "\"Parse error: syntax error, unexpected end of file in /srv/app/job.php on line 9\"");
  EXPECT_EQ(shown("<html><title>App</title><b>Fatal error</b>: out of\x1bmemory"),
            "\"Fatal error: out of\\x1bmemory\"");
  EXPECT_EQ(shown("no Fatal error here"), "\"no Fatal error here\"");
}

TEST(ShowAnswer, IsBoundedWhateverCame) {
  EXPECT_LT(shown("Fatal error: " + std::string(100'000, 'x')).size(), 300U);
  EXPECT_LT(shown("<title>" + std::string(10'000, 'x') + "</title>").size(), 300U);
  EXPECT_LT(shown(std::string(100'000, '<')).size(), 300U);
}

TEST(ShowAnswer, NamesWhatStandsBeforeTheObject) {
  EXPECT_EQ(shown(""), "an empty body");
  EXPECT_EQ(shown("\xEF\xBB\xBF{\"gearman_ret\": 0}"),
            "\"{\"gearman_ret\": 0}\", behind a byte order mark: save the endpoint's files without one");
  EXPECT_EQ(
      shown("<br />\n<b>Warning</b>:  Undefined variable $x in <b>/srv/job.php</b> on line <b>3</b><br />\n"
            "{\"gearman_ret\": 0}"),
      "\"Warning: Undefined variable $x in /srv/job.php on line 3\", before the object: with "
      "display_errors=0 PHP "
      "keeps such messages out of its answers");
  EXPECT_EQ(shown("debug\n{\"gearman_ret\": 0}"),
            "\"debug\\x0a{\"gearman_ret\": 0}\", with the object behind it: print nothing but the object");
  EXPECT_EQ(shown("{\"gearman_ret\": 0} debug"), "\"{\"gearman_ret\": 0} debug\"");
}

TEST(ShowAnswer, ShowsFewBytesOfABinaryAnswer) {
  EXPECT_LT(shown("GIF89a\x01\x02" + std::string(1000, '\xff')).size(), 300U);
}

TEST(ShowAnswer, IsCut) { EXPECT_EQ(show_answer("0123456789", 4), "\"0123… (10 bytes)\""); }

TEST(FailureHint, HasTheFirstLineOfStderr) {
  EXPECT_EQ(explain_failure("HTTP status 500", {.end = AttemptEnd::server_error,
                                                .status = 500,
                                                .may_have_run = true,
                                                .stderr_line = "PHP message: no database"}),
            "HTTP status 500; its stderr: \"PHP message: no database\"; the job may have run");
}

TEST(FailureHint, ForALostFastcgiConnectionNamesWhatEndsProcessesOfPhpFpm) {
  for (const auto end : {AttemptEnd::connection_lost, AttemptEnd::stale_connection}) {
    EXPECT_EQ(explain_failure("it broke", {.end = end, .may_have_run = true, .over_fastcgi = true}),
              "it broke; the process of php-fpm ended: by a reload (process_control_timeout of php-fpm lets "
              "scripts finish), a stop or a crash (php-fpm's log says which); the job may have run");
  }
  EXPECT_EQ(explain_outage("late", {.end = AttemptEnd::attempt_timeout, .over_fastcgi = true}), "late");
}

TEST(FailureHint, ForAScriptThatPhpFpmDoesNotFindNamesItsPath) {
  EXPECT_EQ(
      explain_failure("HTTP status 404", {.end = AttemptEnd::other_status,
                                          .status = 404,
                                          .over_fastcgi = true,
                                          .stderr_line = "Primary script unknown"}),
      "HTTP status 404; its stderr: \"Primary script unknown\"; php-fpm found no script: give "
      "job_processing_uri, and fastcgi_document_root, the path as php-fpm sees it; the job did not run");
}

TEST(FailureHint, OnlyTheAnswerOfPhpFpmItselfSaysThatThereIsNoScript) {
  EXPECT_TRUE(is_no_script(404, "Primary script unknown"));
  EXPECT_FALSE(is_no_script(404, "PHP message: Primary script unknown")) << "a script's";
  EXPECT_FALSE(is_no_script(404, ""));
  EXPECT_FALSE(is_no_script(500, "Primary script unknown"));
  EXPECT_FALSE(is_no_script(500, "PHP message: PHP Parse error:  syntax error")) << "of an included file?";
}

TEST(FailureHint, ForAConnectionToAPhpScriptThatBrokeBeforeAResponseNamesTheFastcgiScheme) {
  FailureFacts facts{.end = AttemptEnd::connection_lost, .may_have_run = true, .may_be_fastcgi = true};
  EXPECT_EQ(explain_failure("it broke", facts),
            "it broke; if php-fpm itself listens there, the URI begins with fcgi:// and has the path of the "
            "script's file; the job may have run");
  facts.has_begun = true;
  EXPECT_EQ(explain_failure("it broke", facts), "it broke; the job may have run") << "it speaks HTTP";
  EXPECT_EQ(explain_outage("late", {.end = AttemptEnd::attempt_timeout, .may_be_fastcgi = true}), "late");
}

TEST(FailureHint, ForALostConnectionOverAUnixSocketNamesTheFastcgiScheme) {
  EXPECT_EQ(
      explain_failure("it broke",
                      {.end = AttemptEnd::connection_lost, .may_have_run = true, .over_unix_socket = true}),
      "it broke; if php-fpm listens on this socket, the URI begins with fcgi+unix://; the job may have run");
}

}  // namespace
}  // namespace driveshaft::dispatch
