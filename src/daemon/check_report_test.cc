// SPDX-License-Identifier: MIT
#include "daemon/check_report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/exit_codes.h"

namespace driveshaft::daemon {
namespace {

using testing::ElementsAre;

std::string last_line(const std::vector<CheckRow>& rows) { return check_report(rows, {}).back(); }

TEST(CheckReport, HasARowForEachThingAndSaysWhetherTheDaemonWouldRun) {
  EXPECT_THAT(check_report({good_row("jobs file", "/etc/jobs.json"),
                            good_row("open files", "1024 allowed", "70 at most"),
                            warning_row("pid file", "/run/d.pid", "process 7 holds it"),
                            error_row("user", "nobody2", base::kExitUser, "there is none; name another")},
                           {}),
              ElementsAre("WHAT        VALUE           VERDICT",                             //
                          "jobs file   /etc/jobs.json  good",                                //
                          "open files  1024 allowed    good: 70 at most",                    //
                          "pid file    /run/d.pid      warning: process 7 holds it",         //
                          "user        nobody2         error: there is none; name another",  //
                          "would not run: 1 error"));
}

TEST(CheckReport, NamesTheCommandThatProbesAnEndpoint) {
  config::PoolConfig pool{"P", *net::parse_uri("http://h/job.php"), 1, {"f"}, {}};
  const auto command = [&](const char* uri) { return probe_command(pool, *net::parse_uri(uri)); };
  EXPECT_EQ(command("http://h/job.php"), "driveshaft probe http://h/job.php");
  pool.settings.request_format = config::RequestFormat::multipart;
  pool.settings.signing.file = "/etc/my secret";
  pool.fastcgi_document_root = "/srv";
  pool.endpoint_tls.ca_file = "/ca.pem";
  EXPECT_EQ(command("http://h/job.php"),
            "driveshaft probe http://h/job.php --format multipart --secret-file '/etc/my secret'");
  pool.settings = {};
  EXPECT_EQ(command("fcgi://h/srv/job.php"), "driveshaft probe fcgi://h/srv/job.php --document-root /srv");
  EXPECT_EQ(command("https://h/"), "driveshaft probe https://h/ --ca-file /ca.pem");
}

TEST(CheckReport, LimitsTheNumberOfProbeCommands) {
  std::vector<CheckRow> rows;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    rows.push_back(good_row("endpoint", name));
    rows.back().more = fmt::format("probe {}", name);
  }
  EXPECT_THAT(check_report({rows[0]}, {}),
              ElementsAre("WHAT      VALUE  VERDICT", "endpoint  a      good",
                          "To see whether its answers are right, send an endpoint sample jobs:", "  probe a",
                          "would run"));
  const auto lines = check_report(rows, {});
  EXPECT_EQ(lines[lines.size() - 3], "  probe c");
  EXPECT_EQ(lines[lines.size() - 2], "  and so on, for 2 other endpoints");
}

TEST(CheckReport, WarningsStayWarnings) {
  const std::vector rows{warning_row("pid file", "/run/d.pid", "process 7 holds it")};
  EXPECT_EQ(last_line(rows), "would run");
  EXPECT_EQ(check_exit_code(rows), base::kExitOk);
  EXPECT_EQ(check_exit_code({}), base::kExitOk);
}

TEST(CheckReport, CountsErrors) {
  EXPECT_EQ(last_line({error_row("a", "", base::kExitUser, "x"), error_row("b", "", base::kExitConfig, "y")}),
            "would not run: 2 errors");
  auto jobs_file = error_row("jobs file", "", base::kExitConfig, "12 errors, see above");
  jobs_file.errors = 12;
  EXPECT_EQ(last_line({jobs_file, error_row("a", "", base::kExitUser, "x")}), "would not run: 13 errors");
}

TEST(CheckReport, WithAnUnreachableServerTheDaemonWouldRun) {
  std::vector rows{error_row("gearmand", "h:1", base::kExitNoAnswer, "x")};
  EXPECT_EQ(last_line(rows), "would run, but 1 of the job servers and endpoints cannot be reached");
  EXPECT_EQ(check_exit_code(rows), base::kExitNoAnswer);
  rows.push_back(error_row("user", "u", base::kExitUser, "y"));
  EXPECT_EQ(last_line(rows), "would not run: 2 errors");
  EXPECT_EQ(check_exit_code(rows), base::kExitUser);
}

TEST(CheckReport, OneErrorOfSeveralGivesTheExitCode) {
  const auto code_of = [](int one, int other) {
    return check_exit_code({error_row("a", "", one, "x"), error_row("b", "", other, "y")});
  };
  EXPECT_EQ(code_of(base::kExitConfig, base::kExitUsage), base::kExitUsage);
  EXPECT_EQ(code_of(base::kExitConfig, base::kExitLogConfig), base::kExitLogConfig);
  EXPECT_EQ(code_of(base::kExitLogConfig, base::kExitUsage), base::kExitUsage);
  EXPECT_EQ(code_of(base::kExitExporter, base::kExitConfig), base::kExitConfig);
  EXPECT_EQ(code_of(base::kExitExporter, base::kExitPidFile), base::kExitPidFile);
}

}  // namespace
}  // namespace driveshaft::daemon
