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

TEST(FailureHint, Of504NamesTheTimeoutsOfNginxUnlessItCameAtOnce) {
  EXPECT_EQ(explain_failure("HTTP status 504", {AttemptEnd::server_error, 504, 60'020ms, true}),
            "HTTP status 504; it came after 60 s: nginx answers so when fastcgi_read_timeout or "
            "proxy_read_timeout is over, 60 s unless set; the job may have run");
  EXPECT_EQ(explain_failure("HTTP status 504", {AttemptEnd::server_error, 504, 900ms, true}),
            "HTTP status 504; the job may have run");
  EXPECT_EQ(explain_failure("HTTP status 502", {AttemptEnd::server_error, 502, 60s, true}),
            "HTTP status 502; the job may have run");
}

TEST(FailureHint, Of413NamesTheLimitOfNginx) {
  EXPECT_EQ(
      explain_failure("HTTP status 413", {AttemptEnd::other_status, 413, 1ms, true}),
      "HTTP status 413; nginx answers so to a body above its client_max_body_size, 1 MB unless set; the "
      "job may have run");
}

TEST(FailureHint, OfAnEmptyAnswerNamesTheScriptAndTheGateway) {
  EXPECT_EQ(
      explain_failure("the answer is empty", {AttemptEnd::empty_answer, 200, 1ms, true}),
      "the answer is empty; a script that prints nothing answers so, and nginx does when php-fpm kills a "
      "running script at a reload or restart (process_control_timeout of php-fpm lets it finish); the "
      "job may have run");
}

TEST(ShowAnswer, OfAnHtmlPageIsItsTitle) {
  EXPECT_EQ(show_answer("<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>…"),
            "an HTML page, \"504 Gateway Time-out\"");
  EXPECT_EQ(show_answer("<!DOCTYPE html><HTML><TITLE>\n  Not\n <b>found</b>\x1b </TITLE>"),
            "an HTML page, \"Not found\\x1b\"");
  EXPECT_EQ(show_answer("<h1>Oops</h1>"), "\"<h1>Oops</h1>\"");
  EXPECT_EQ(show_answer("<html><title>cut off"), "\"<html><title>cut off\"");
  EXPECT_EQ(show_answer("<html><title></title>"), "\"<html><title></title>\"");
}

TEST(ShowAnswer, OfAPhpErrorIsItsFirstLineWithoutTags) {
  EXPECT_EQ(
      show_answer("<br />\n<b>Fatal error</b>:  Uncaught Exception: no database in /srv/app/job.php:3\n"
                  "Stack trace:\n#0 {main}\n  thrown in <b>/srv/app/job.php</b> on line <b>3</b><br />\n"),
      "\"Fatal error: Uncaught Exception: no database in /srv/app/job.php:3\"");
  EXPECT_EQ(
      show_answer("PHP Parse error:  syntax error, unexpected end of file in /srv/app/job.php on line 9"),
      "\"Parse error: syntax error, unexpected end of file in /srv/app/job.php on line 9\"");
  EXPECT_EQ(show_answer("<html><title>App</title><b>Fatal error</b>: out of\x1bmemory"),
            "\"Fatal error: out of\\x1bmemory\"");
  EXPECT_EQ(show_answer("no Fatal error here"), "\"no Fatal error here\"");
}

TEST(ShowAnswer, IsBoundedWhateverCame) {
  EXPECT_LT(show_answer("Fatal error: " + std::string(100'000, 'x')).size(), 300U);
  EXPECT_LT(show_answer("<title>" + std::string(10'000, 'x') + "</title>").size(), 150U);
  EXPECT_LT(show_answer(std::string(100'000, '<')).size(), 150U);
}

}  // namespace
}  // namespace driveshaft::dispatch
