// SPDX-License-Identifier: MIT
#include "config/parse.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

namespace driveshaft::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Parsed accepted(std::string_view text) { return parse(text).value(); }

std::vector<std::string> errors(std::string_view text) {
  const auto parsed = parse(text);
  return parsed ? std::vector<std::string>{} : parsed.error().errors;
}

std::vector<std::string> warnings(std::string_view text) {
  const auto parsed = parse(text);
  return parsed ? parsed->warnings : parsed.error().warnings;
}

// A file with one pool, in which `lines` begin at line 4. The rest of the file is valid.
std::string pool_with(const std::string& lines) {
  return "{\"gearman_servers_list\": [\"localhost\"],\n"
         " \"pools_list\": {\n"
         "  \"P\": {\"job_processing_uri\": \"http://h/\", \"worker_count\": 1, \"jobs_list\": [\"f\"]\n" +
         lines + "}}}";
}

// A file with one valid pool, and `lines` at the top level, which begin at line 3.
std::string top_with(const std::string& lines) {
  return "{\"gearman_servers_list\": [\"localhost\"], \"pools_list\": {\n"
         "  \"P\": {\"job_processing_uri\": \"http://h/\", \"worker_count\": 1, \"jobs_list\": [\"f\"]}},\n" +
         lines + "}";
}

TEST(Parse, EveryDefault) {
  const Parsed parsed = accepted(R"({
    "gearman_servers_list": ["localhost"],
    "pools_list": {
      "Regular": {
        "job_processing_uri": "http://localhost/job.php",
        "worker_count": 0,
        "jobs_list": ["Sum3", "Sum"]
      }
    }
  })");
  EXPECT_THAT(parsed.warnings, IsEmpty());
  EXPECT_THAT(parsed.config.servers, ElementsAre(ServerConfig{{"localhost", 4730}}));
  EXPECT_EQ(parsed.config.log_workload_size, 1024u);
  ASSERT_EQ(parsed.config.pools.size(), 1u);
  const PoolConfig& pool = parsed.config.pools[0];
  EXPECT_EQ(pool.name, "Regular");
  EXPECT_EQ(pool.endpoint, *net::parse_uri("http://localhost/job.php"));
  EXPECT_EQ(pool.worker_count, 0);
  EXPECT_THAT(pool.jobs_list, ElementsAre("Sum3", "Sum"));
  EXPECT_EQ(pool.settings.request_format, RequestFormat::json);
  EXPECT_EQ(pool.settings.gearmand_connections, 1);
  EXPECT_EQ(pool.settings.endpoint_connect_timeout, std::chrono::seconds(5));
  EXPECT_EQ(pool.settings.max_response_size, 64u << 20);
}

TEST(Parse, SettingsOfTheTopLevelHoldForPoolsWithoutTheirOwn) {
  const Parsed parsed = accepted(R"({
    "pools_list": {
      "Own": {"job_processing_uri": "h", "worker_count": 1, "jobs_list": ["f"], "request_format": "urlencoded",
              "gearmand_connections": 64, "endpoint_connect_timeout": 0.25, "max_response_size": 1},
      "Theirs": {"job_processing_uri": "h", "worker_count": 1000000, "jobs_list": ["f"]}
    },
    "gearman_servers_list": ["b:1", "[::1]:2", "a"],
    "request_format": "multipart", "gearmand_connections": 2, "endpoint_connect_timeout": 3600, "max_response_size": 2147483647,
    "log_workload_size": 0
  })");
  EXPECT_THAT(parsed.config.servers,
              ElementsAre(ServerConfig{{"b", 1}}, ServerConfig{{"::1", 2}}, ServerConfig{{"a", 4730}}));
  EXPECT_EQ(parsed.config.log_workload_size, 0u);
  ASSERT_EQ(parsed.config.pools.size(), 2u);
  PoolSettings own;
  own.request_format = RequestFormat::urlencoded;
  own.gearmand_connections = 64;
  own.endpoint_connect_timeout = std::chrono::milliseconds(250);
  own.max_response_size = 1;
  EXPECT_EQ(parsed.config.pools[0].settings, own);
  PoolSettings theirs;
  theirs.request_format = RequestFormat::multipart;
  theirs.gearmand_connections = 2;
  theirs.endpoint_connect_timeout = std::chrono::hours(1);
  theirs.max_response_size = 2147483647;
  EXPECT_EQ(parsed.config.pools[1].settings, theirs);
  EXPECT_EQ(parsed.config.pools[1].worker_count, 1000000);
}

TEST(Parse, TheSettingsForFailedJobsAreRead) {
  const auto settings = [](const std::string& text) {
    return accepted(R"({"gearman_servers_list": ["h"], "pools_list": {"P": {"job_processing_uri": "h",
      "worker_count": 1, "jobs_list": ["f"], )" +
                    text + "}}}")
        .config.pools[0]
        .settings;
  };
  const auto some =
      settings(R"("endpoint_down": "fail", "dead_letter_function": "failed_jobs", "max_rate": 0.5,
    "on_shutdown": "requeue", "adaptive": true, "explain_failures": true,
    "retry": {"attempts": 3, "initial_delay": 0.25, "max_delay": 10, "attempt_timeout": 1.5,
              "on": ["failure", "5xx", "failure"]})");
  EXPECT_EQ(some.endpoint_down, EndpointDown::fail);
  EXPECT_EQ(some.dead_letter_function, "failed_jobs");
  EXPECT_EQ(some.max_rate, 0.5);
  EXPECT_EQ(some.on_shutdown, OnShutdown::requeue);
  EXPECT_TRUE(some.adaptive);
  EXPECT_TRUE(some.explain_failures);
  EXPECT_EQ(some.retry.attempts, 3);
  EXPECT_EQ(some.retry.initial_delay, std::chrono::milliseconds(250));
  EXPECT_EQ(some.retry.max_delay, std::chrono::seconds(10));
  EXPECT_EQ(some.retry.attempt_timeout, std::chrono::milliseconds(1500));
  EXPECT_THAT(some.retry.on, ElementsAre(AttemptFailure::failure, AttemptFailure::server_error));
  const auto few = settings(R"("retry": {"attempts": 2})");
  EXPECT_EQ(few.retry.attempts, 2);
  EXPECT_EQ(few.retry.on, Retry().on);
  EXPECT_EQ(settings(R"("retry": {"on": []})").retry.on.size(), 0u);
}

TEST(Parse, ErrorsInRetryNameTheirPlace) {
  const auto problems = [](const std::string& retry) {
    return errors(R"({"gearman_servers_list": ["h"], "pools_list": {"P": {"job_processing_uri": "h",
      "worker_count": 1, "jobs_list": ["f"], "retry": )" +
                  retry + "}}}");
  };
  EXPECT_THAT(problems("3"),
              ElementsAre(HasSubstr("pools_list.P.retry: expected false, or an object of attempts")));
  EXPECT_THAT(
      problems(R"({"attempts": 0, "on": ["5xx", "later"]})"),
      ElementsAre(HasSubstr("pools_list.P.retry.attempts: expected a whole number from 1 to 100, got 0"),
                  HasSubstr("pools_list.P.retry.on[1]: expected one of \"timeout\", \"5xx\", \"429\", "
                            "\"connection_lost\", \"invalid_response\", \"failure\", \"unreachable\", "
                            "got \"later\"")));
}

TEST(Parse, RetryOfAPoolChangesTheKeysThatItNames) {
  const auto parsed = accepted(R"({"gearman_servers_list": ["h"],
    "retry": {"attempts": 3, "initial_delay": 1, "on": ["5xx"]}, "pools_list": {
    "P": {"job_processing_uri": "h", "worker_count": 1, "jobs_list": ["f"], "retry": {"max_delay": 5}},
    "Q": {"job_processing_uri": "h", "worker_count": 1, "jobs_list": ["f"], "retry": {"attempts": 1, "on": []}},
    "R": {"job_processing_uri": "h", "worker_count": 1, "jobs_list": ["f"], "retry": {}}}})");
  using namespace std::chrono_literals;
  const auto retry = [&](std::size_t pool) { return parsed.config.pools.at(pool).settings.retry; };
  const std::vector<AttemptFailure> on{AttemptFailure::server_error};
  EXPECT_EQ(retry(0), (Retry{3, 1s, 5s, 0s, on}));
  EXPECT_EQ(retry(1), (Retry{1, 1s, 30s, 0s, {}}));
  EXPECT_EQ(retry(2), (Retry{3, 1s, 30s, 0s, on}));
}

TEST(Parse, MaxRunningTimeIsTheFunctionsThenThePoolsThenTheTopLevelsThenTheOptions) {
  const auto parsed = accepted(R"({"gearman_servers_list": ["h"], "max_running_time": 20, "pools_list": {
    "P": {"job_processing_uri": "h", "worker_count": 1, "max_running_time": 1.5,
          "jobs_list": ["f", {"function": "g", "max_running_time": 0.5}]},
    "Q": {"job_processing_uri": "h", "worker_count": 1, "jobs_list": ["f"]},
    "R": {"job_processing_uri": "h", "worker_count": 1, "jobs_list": ["f"], "max_running_time": 0}}})");
  using namespace std::chrono_literals;
  const auto time = [&](std::size_t pool, std::string_view function) {
    return parsed.config.pools.at(pool).max_running_time_of(function, 1h);
  };
  EXPECT_EQ(time(0, "g"), 500ms);
  EXPECT_EQ(time(0, "f"), 1500ms);
  EXPECT_EQ(time(1, "f"), 20s);
  EXPECT_EQ(time(2, "f"), 1h);
}

TEST(Parse, UnknownKeysOfNestedObjects) {
  EXPECT_THAT(
      errors(pool_with(R"(, "retry": {"atempts": 2}, "headers": {"X": {"file": "/a", "path": 1}})")),
      ElementsAre("pools_list.P.retry.atempts: unknown key, remove it; did you mean \"attempts\"? (line 4)",
                  "pools_list.P.headers.X.path: unknown key, remove it (line 4)"));
  EXPECT_THAT(errors(pool_with(R"(, "breaker": {"min_job": 2})")),
              ElementsAre("pools_list.P.breaker.min_job: unknown key, remove it; did you mean \"min_jobs\"? "
                          "(line 4)"));
}

TEST(Parse, AWholeNumberMayBeWrittenAsAFraction) {
  const auto count = [](const std::string& text) {
    return accepted(R"({"gearman_servers_list": ["h"], "pools_list": {"P": {"job_processing_uri": "h",
        "jobs_list": ["f"], "worker_count": )" +
                    text + "}}}")
        .config.pools[0]
        .worker_count;
  };
  EXPECT_EQ(count("3.0"), 3);
  EXPECT_EQ(count("1e3"), 1000);
  EXPECT_EQ(count("-0"), 0);
}

TEST(Parse, AConnectTimeoutIsNeverRoundedToNothing) {
  EXPECT_EQ(accepted(pool_with(R"(, "endpoint_connect_timeout": 0.00001)"))
                .config.pools[0]
                .settings.endpoint_connect_timeout,
            std::chrono::milliseconds(1));
}

TEST(Parse, TheExampleOfTheManual) {
  EXPECT_THAT(
      errors("{\n  \"gearman_servers_list\": [\"localhost\"],\n  \"pools_list\": {\n    \"Regular\": {\n"
             "      \"job_processing_uri\": \"http://localhost/job.php\",\n"
             "      \"worker_count\": \"ten\",\n      \"jobs_list\": [\"Sum\"]\n    }\n  }\n}\n"),
      ElementsAre("pools_list.Regular.worker_count: expected a whole number ≥ 0, got \"ten\" (line 6)"));
}

TEST(Parse, EveryErrorAtOnceInTheOrderOfTheFile) {
  const std::string text = R"({
  "log_workload_size": -1,
  "gearman_servers_list": ["localhost:0",
    5],
  "pools_list": {
    "A": {
      "job_processing_uri": "ftp://x/",
      "worker_cuont": 3,
      "jobs_list": ["ok", "", "a\tb",
        null]
    },
    "B": [],
    "my pool": {"worker_count": 1.5, "job_processing_uri": 1, "jobs_list": "f",
      "request_format": "JSON"}
  },
  "gearmand_connections": 65
})";
  EXPECT_THAT(
      errors(text),
      ElementsAre(
          "log_workload_size: expected a size from 0 to 2147483647 bytes, got -1 (line 2)",
          "gearman_servers_list[0]: expected host, host:port or [IPv6]:port, got \"localhost:0\": the port "
          "must "
          "be a whole number from 1 to 65535 (line 3)",
          "gearman_servers_list[1]: expected the address of a server, or an object of address and "
          "tls, got 5 (line 4)",
          "pools_list.A.worker_count: missing, expected a whole number ≥ 0 (line 6)",
          "pools_list.A.job_processing_uri: expected an http://, https://, http+unix://, fcgi:// or "
          "fcgi+unix:// URI, got "
          "\"ftp://x/\": "
          "the scheme \"ftp\" is not served (line 7)",
          "pools_list.A.jobs_list[1]: expected the name of a function, got \"\" (line 9)",
          "pools_list.A.jobs_list[2]: expected a name without control characters, got \"a\\x09b\" (line 9)",
          "pools_list.A.jobs_list[3]: expected the name of a function, or an object of function and its "
          "settings, got null (line 10)",
          "pools_list.B: expected a pool as an object, got an empty array (line 12)",
          "pools_list.\"my pool\".job_processing_uri: expected an http://, https://, http+unix://, fcgi:// "
          "or fcgi+unix:// URI, or an array of them, got 1 "
          "(line 13)",
          "pools_list.\"my pool\".worker_count: expected a whole number ≥ 0, got 1.5 (line 13)",
          "pools_list.\"my pool\".jobs_list: expected an array of functions, got \"f\"; write [\"f\"] (line "
          "13)",
          "pools_list.\"my pool\".request_format: expected \"json\", \"multipart\" or \"urlencoded\", got "
          "\"JSON\" "
          "(line 14)",
          "gearmand_connections: expected a whole number from 1 to 64, got 65 (line 16)"));
  EXPECT_THAT(
      warnings(text),
      ElementsAre(
          "pools_list.A.worker_cuont: unknown key, ignored; did you mean \"worker_count\"? (line 8)"));
}

const char* const kBackends = R"({"gearman_servers_list": ["h"], "pools_list": {"P": {"worker_count": 1,
  "job_processing_uri": %, "jobs_list": ["f"]}}})";

std::string with_backends(const std::string& value) {
  std::string text = kBackends;
  return text.replace(text.find('%'), 1, value);
}

TEST(Parse, AnEndpointMayHaveSeveralBackends) {
  const auto endpoint = accepted(with_backends(R"(["http://a/", {"uri": "https://b/", "weight": 3},
    {"uri": "fcgi+unix://%2Fs/x.php", "max_concurrency": 4, "weight": 0}])"))
                            .config.pools[0]
                            .endpoint;
  ASSERT_THAT(endpoint.backends, SizeIs(3));
  EXPECT_EQ(endpoint.backends[0], (BackendConfig{*net::parse_uri("http://a/")}));
  EXPECT_EQ(endpoint.backends[1], (BackendConfig{*net::parse_uri("https://b/"), 3, 0}));
  EXPECT_EQ(endpoint.backends[2].weight, 0);
  EXPECT_EQ(endpoint.backends[2].max_concurrency, 4);
  const auto alike =
      accepted(with_backends(R"(["http://u:1@a/", "http://a/?x", "http://v:2@a/", "http://a/?y"])"));
  EXPECT_THAT(alike.config.pools[0].endpoint.names(),
              ElementsAre("http://***@a/", "http://a/?***", "http://***@a/ #2", "http://a/?*** #2"));
  EXPECT_EQ(accepted(with_backends(R"(["http://a/"])")).config,
            accepted(with_backends(R"("http://a/")")).config);
}

TEST(Parse, ErrorsInABackend) {
  EXPECT_THAT(
      errors(with_backends("[]")),
      ElementsAre("pools_list.P.job_processing_uri: expected an array of 1 to 64 backends, got 0 (line 2)"));
  EXPECT_THAT(
      errors(with_backends(R"(["http://a/", "http://a/", 7, {"weight": 1}, {"uri": "http://b/", "wieght": 1},
{"uri": "ftp://c/", "weight": 101}])")),
      ElementsAre(
          "pools_list.P.job_processing_uri[1]: \"http://a/\" is listed already; remove one, or give it more "
          "weight (line 2)",
          "pools_list.P.job_processing_uri[2]: expected a URI, or an object of uri, weight and "
          "max_concurrency, got 7 (line 2)",
          testing::StartsWith("pools_list.P.job_processing_uri[3].uri: missing"),
          testing::StartsWith("pools_list.P.job_processing_uri[4].wieght: unknown key"),
          testing::HasSubstr("the scheme \"ftp\" is not served"),
          testing::HasSubstr("expected a whole number from 0 (no more jobs) to 100, got 101")));
  EXPECT_THAT(
      warnings(with_backends(R"([{"uri": "http://a/", "weight": 0}])")),
      ElementsAre("pools_list.P.job_processing_uri: every weight is 0, so no backend takes a job (line 2)"));
  EXPECT_THAT(
      warnings(with_backends(R"(["http://a/", "127.0.0.1:9000/srv/job.php?token=s3cret"])")),
      ElementsAre("pools_list.P.job_processing_uri[1]: port 9000 with a .php path is most likely php-fpm, "
                  "which speaks FastCGI and not HTTP: write \"fcgi://127.0.0.1:9000/srv/job.php\", with "
                  "the path of the script's file (line 2)"));
  EXPECT_THAT(warnings(with_backends(R"("http://fpm:9000/srv/index.php/jobs")")),
              ElementsAre(testing::HasSubstr("write \"fcgi://fpm:9000/srv/index.php/jobs\", ")));
  for (const char* right : {"fcgi://a:9000/srv/job.php", "http://a:9000/jobs", "http://a/job.php",
                            "https://a:9000/job.php", "http://a:9001/job.php"}) {
    EXPECT_THAT(warnings(with_backends(fmt::format("\"{}\"", right))), IsEmpty()) << right;
  }
}

TEST(Parse, RequiredKeys) {
  EXPECT_THAT(errors("\n{}"),
              ElementsAre("gearman_servers_list: missing, expected a non-empty array of servers "
                          "(line 2)",
                          "pools_list: missing, expected an object of pools (line 2)"));
  EXPECT_THAT(
      errors(R"({"gearman_servers_list": ["h"], "pools_list": {"P": {}}})"),
      ElementsAre("pools_list.P.job_processing_uri: missing, expected an http://, https://, http+unix://, "
                  "fcgi:// or fcgi+unix:// URI, or an array of them (line 1)",
                  "pools_list.P.worker_count: missing, expected a whole number ≥ 0 (line 1)",
                  "pools_list.P.jobs_list: missing, expected an array of functions (line 1)"));
  EXPECT_THAT(errors(R"({"gearman_servers_list": [], "pools_list": null})"),
              ElementsAre("gearman_servers_list: expected a non-empty array of servers, got an empty "
                          "array (line 1)",
                          "pools_list: expected an object of pools, got null (line 1)"));
}

TEST(Parse, NotAnObject) {
  EXPECT_THAT(errors("\n[1]"), ElementsAre("top level: expected an object, got an array (line 2)"));
  EXPECT_THAT(errors("{\"a\": 1,\n}"),
              ElementsAre("not valid JSON: syntax error, found '}': remove the comma before it "
                          "(line 2, column 1)"));
}

TEST(Parse, FalseOrZeroSwitchesASettingOff) {
  const auto parsed = accepted(R"({"gearman_servers_list": [{"address": "a", "tls": false}],
    "retry": {"attempts": 3, "max_delay": 5}, "breaker": true, "pools_list": {"P": {"job_processing_uri": "http://h/",
    "worker_count": 1, "retry": false, "breaker": false, "dead_letter_function": "", "max_running_time": 0,
    "jobs_list": [{"function": "f", "max_concurrency": 0, "max_running_time": 0}]}}})");
  const auto& pool = parsed.config.pools.at(0);
  EXPECT_THAT(parsed.config.servers, ElementsAre(ServerConfig{{"a", 4730}}));
  EXPECT_EQ(pool.settings.retry.attempts, 1);
  EXPECT_FALSE(pool.settings.breaker.on);
  EXPECT_EQ(pool.of_function("f"), FunctionSettings{});
  EXPECT_THAT(errors(pool_with(R"(, "retry": true)")),
              ElementsAre(HasSubstr("expected false, or an object of")));
}

TEST(Parse, FormerNamesAreAccepted) {
  const auto parsed = accepted(R"({"gearman_servers_list": ["a"], "connections": 3, "request_format": "json",
    "pools_list": {
      "P": {"job_processing_uri": "https://h/", "worker_count": 1, "jobs_list": ["f"], "connect_timeout": 2,
            "tls": {"verify": false}},
      "Q": {"job_processing_uri": "http://h/", "worker_count": 1, "jobs_list": ["g"], "connect_timeout": "3s",
            "gearmand_connections": 2}}})");
  const auto& [p, q] = std::tie(parsed.config.pools.at(0), parsed.config.pools.at(1));
  EXPECT_EQ(p.settings.gearmand_connections, 3);
  EXPECT_EQ(p.settings.endpoint_connect_timeout, 2s);
  EXPECT_FALSE(p.endpoint_tls.verify);
  EXPECT_EQ(q.settings.gearmand_connections, 2)
      << "the top level's is under its former name, the pool's own is not";
  EXPECT_EQ(q.settings.endpoint_connect_timeout, 3s);
  EXPECT_THAT(parsed.warnings, IsEmpty());
  EXPECT_THAT(
      parsed.notes,
      ElementsAre("connections is now called gearmand_connections; both are accepted",
                  "pools_list.P.tls is now called endpoint_tls; both are accepted",
                  "pools_list.P.connect_timeout is now called endpoint_connect_timeout; both are accepted"));
}

TEST(Parse, AKeyStandsInAnObjectUnderOneOfItsNames) {
  EXPECT_THAT(
      errors(pool_with(", \"connections\": 1,\n\"gearmand_connections\": 1")),
      ElementsAre("pools_list.P.connections: gearmand_connections stands here too, which is its name now; "
                  "remove one (line 4)"));
}

TEST(Parse, AnErrorNamesTheKeyAsTheFileDoes) {
  EXPECT_THAT(
      errors(pool_with(", \"tls\": {}")),
      ElementsAre(
          "pools_list.P.tls: http://h/ does not use TLS: write it with https://, or remove tls (line 4)"));
  EXPECT_THAT(errors(pool_with(", \"connections\": 0")),
              ElementsAre("pools_list.P.connections: expected a whole number from 1 to 64, got 0 (line 4)"));
}

TEST(Parse, TimesAndSizesMayHaveUnits) {
  const auto pool = [](const std::string& setting) {
    return accepted(pool_with(", " + setting)).config.pools.at(0);
  };
  EXPECT_EQ(pool(R"("endpoint_connect_timeout": "250ms")").settings.endpoint_connect_timeout, 250ms);
  EXPECT_EQ(pool(R"("max_running_time": "1.5h")").settings.max_running_time, 90min);
  EXPECT_EQ(pool(R"("max_running_time": "0s")").settings.max_running_time, 0s);
  EXPECT_EQ(pool(R"("retry": {"max_delay": "2m"})").settings.retry.max_delay, 2min);
  EXPECT_EQ(pool(R"("breaker": {"window": "1m"})").settings.breaker.window, 1min);
  EXPECT_EQ(pool(R"("max_response_size": "512kB")").settings.max_response_size, 512u * 1024);
  EXPECT_EQ(accepted(top_with(R"("log_workload_size": "2k")")).config.log_workload_size, 2048u);
}

TEST(Parse, RejectsOtherTextAsATimeOrASize) {
  const auto error = [](const std::string& setting) { return errors(pool_with(", " + setting)); };
  EXPECT_THAT(error(R"("endpoint_connect_timeout": "5 parsecs")"),
              ElementsAre("pools_list.P.endpoint_connect_timeout: expected a time such as 5, \"500ms\", "
                          "\"5s\" or \"10m\", got "
                          "\"5 parsecs\" (line 4)"));
  EXPECT_THAT(error(R"("endpoint_connect_timeout": "5")"),
              ElementsAre(HasSubstr("expected a time such as 5, \"500ms\"")));
  EXPECT_THAT(error(R"("endpoint_connect_timeout": "2h")"),
              ElementsAre(HasSubstr("expected a time > 0 and ≤ 3600 s, got \"2h\"")));
  EXPECT_THAT(error(R"("endpoint_connect_timeout": "0s")"),
              ElementsAre(HasSubstr("expected a time > 0 and")));
  EXPECT_THAT(error(R"("breaker": {"window": "500ms"})"),
              ElementsAre(HasSubstr("expected a time from 1 to 3600 s")));
  EXPECT_THAT(error(R"("max_response_size": "1")"),
              ElementsAre(HasSubstr("expected a size such as 65536, \"64k\" or \"64M\", got \"1\"")));
  EXPECT_THAT(error(R"("max_response_size": "2G")"),
              ElementsAre(HasSubstr("expected a size from 1 to 2147483647 bytes, got \"2G\"")));
}

TEST(Parse, ANumberInQuotesIsSaidToNeedNone) {
  const auto error = [](const std::string& setting) { return errors(pool_with(", " + setting)); };
  EXPECT_THAT(
      error(R"("gearmand_connections": "3")"),
      ElementsAre("pools_list.P.gearmand_connections: expected a whole number from 1 to 64, got \"3\"; "
                  "write 3 without quotes (line 4)"));
  for (const std::string setting :
       {R"("trace_sampling": "0.5")", R"("endpoint_connect_timeout": "5")", R"("max_response_size": "1")",
        R"("hold_on": ["503"])", R"("retry": {"attempts": "-1"})", R"("paused": "true")"}) {
    EXPECT_THAT(error(setting), ElementsAre(HasSubstr(" without quotes (line 4)"))) << setting;
  }
  for (const std::string setting :
       {R"("gearmand_connections": "ten")", R"("trace_sampling": "1.2.3")", R"("paused": "1")",
        R"("gearmand_connections": true)", R"("retry": "5")", R"("endpoint_connect_timeout": "5 s")"}) {
    EXPECT_THAT(error(setting), ElementsAre(testing::Not(HasSubstr("quotes")))) << setting;
  }
}

TEST(Parse, OneElementIsSaidToNeedBrackets) {
  EXPECT_THAT(
      errors(R"({"gearman_servers_list": "localhost", "pools_list": {}})"),
      ElementsAre("gearman_servers_list: expected a non-empty array of servers, got \"localhost\"; write "
                  "[\"localhost\"] (line 1)"));
  EXPECT_THAT(errors(R"({"gearman_servers_list": 5, "pools_list": {}})"),
              ElementsAre(testing::Not(HasSubstr("write"))));
}

TEST(Parse, Limits) {
  const auto error = [](const std::string& setting) { return errors(pool_with(", " + setting)); };
  EXPECT_THAT(
      error(R"("gearmand_connections": 0)"),
      ElementsAre("pools_list.P.gearmand_connections: expected a whole number from 1 to 64, got 0 (line 4)"));
  EXPECT_THAT(
      error(R"("endpoint_connect_timeout": 0)"),
      ElementsAre("pools_list.P.endpoint_connect_timeout: expected a time > 0 and ≤ 3600 s, got 0 (line 4)"));
  EXPECT_THAT(error(R"("endpoint_connect_timeout": 3600.5)"), testing::SizeIs(1));
  EXPECT_THAT(error(R"("endpoint_connect_timeout": "5")"), testing::SizeIs(1));
  EXPECT_THAT(error(R"("max_response_size": 0)"), testing::SizeIs(1));
  EXPECT_THAT(error(R"("max_response_size": 2147483648)"),
              ElementsAre("pools_list.P.max_response_size: expected a size from 1 to 2147483647 bytes, "
                          "got 2147483648 (line 4)"));
  EXPECT_THAT(errors(top_with(R"("log_workload_size": true)")),
              ElementsAre("log_workload_size: expected a size from 0 to 2147483647 bytes, got true "
                          "(line 3)"));
}

TEST(Parse, TooManyWorkers) {
  EXPECT_THAT(
      errors(R"({"gearman_servers_list": ["h"], "pools_list": {"P": {"job_processing_uri": "h",
"jobs_list": ["f"], "worker_count": 1000001}}})"),
      ElementsAre(
          "pools_list.P.worker_count: expected at most 1000000 slots in a pool, got 1000001 (line 2)"));
}

TEST(Parse, FunctionNamesHave512Bytes) {
  const auto with_name = [](std::size_t size) {
    return R"({"gearman_servers_list": ["h"], "pools_list": {"P": {"job_processing_uri": "h", "worker_count": 1,
"jobs_list": [")" +
           std::string(size, 'n') + "\"]}}}";
  };
  EXPECT_EQ(accepted(with_name(512)).config.pools[0].jobs_list[0].size(), 512u);
  EXPECT_THAT(errors(with_name(513)),
              ElementsAre("pools_list.P.jobs_list[0]: expected a name of at most 512 bytes, got \"" +
                          std::string(60, 'n') + "… (513 bytes)\" (line 2)"));
}

TEST(Parse, PoolNames) {
  const auto with_name = [](const std::string& name) {
    return "{\"gearman_servers_list\": [\"h\"], \"pools_list\": {\n\"" + name +
           "\": {\"job_processing_uri\": \"h\", \"worker_count\": 1, \"jobs_list\": [\"f\"]}}}";
  };
  EXPECT_EQ(accepted(with_name("Gro\xc3\x9f. 1")).config.pools[0].name, "Gro\xc3\x9f. 1");
  EXPECT_THAT(errors(with_name("")),
              ElementsAre("pools_list.\"\": expected a pool with a name, got an empty one (line 2)"));
  EXPECT_THAT(
      errors(with_name("a\\nb")),
      ElementsAre("pools_list.\"a\\x0ab\": expected a pool name without control characters (line 2)"));
}

TEST(Parse, NamesGivenTwice) {
  EXPECT_THAT(
      errors(pool_with(",\"worker_count\": 2, \"x\": {\"y\": 1,\n\"y\": [{\"z\": 1, \"z\": 1}]}")),
      ElementsAre("pools_list.P.worker_count: the name stands twice in this object, first on line 3; remove "
                  "one (line 4)",
                  "pools_list.P.x.y: the name stands twice in this object, first on line 4; remove one "
                  "(line 5)",
                  "pools_list.P.x.y[0].z: the name stands twice in this object, first on line 5; remove "
                  "one (line 5)"));
}

TEST(Parse, AnIpv6AddressThatMayContainAPortIsAWarning) {
  const Parsed parsed =
      accepted(R"({"gearman_servers_list": ["::1:4730", "[::2]:4730", "::3"], "pools_list": {
    "P": {"job_processing_uri": "h", "worker_count": 1, "jobs_list": ["f"]}}})");
  EXPECT_THAT(
      parsed.warnings,
      ElementsAre(
          "gearman_servers_list[0]: it is read as an IPv6 address without a port; if its last part is "
          "the port, write [::1]:4730 (line 1)"));
}

TEST(Parse, EntriesGivenTwiceAreDropped) {
  const Parsed parsed = accepted(R"({"gearman_servers_list": ["localhost", "a", "LOCALHOST:4730"],
"pools_list": {"P": {"job_processing_uri": "h", "worker_count": 1, "jobs_list": ["f", "g",
"f"]}}})");
  EXPECT_THAT(parsed.config.servers,
              ElementsAre(ServerConfig{{"localhost", 4730}}, ServerConfig{{"a", 4730}}));
  EXPECT_THAT(parsed.config.pools[0].jobs_list, ElementsAre("f", "g"));
  EXPECT_THAT(parsed.warnings,
              ElementsAre("gearman_servers_list[2]: localhost:4730 is listed already, ignored (line 1)",
                          "pools_list.P.jobs_list[2]: \"f\" is listed already, ignored (line 3)"));
}

TEST(Parse, NothingToDoIsAWarning) {
  EXPECT_THAT(accepted(R"({"gearman_servers_list": ["h"], "pools_list": {}})").warnings,
              ElementsAre("pools_list: no pools, so no job is taken (line 1)"));
  EXPECT_THAT(accepted(R"({"gearman_servers_list": ["h"], "pools_list": {"P": {"job_processing_uri": "h",
"worker_count": 1, "jobs_list": []}}})")
                  .warnings,
              ElementsAre("pools_list.P.jobs_list: empty, so this pool takes no job (line 2)"));
}

TEST(Parse, UnknownKeys) {
  EXPECT_THAT(
      accepted(top_with("\"_comment\": {\"any\": [\"thing\"]},\n\"conections\": 2,\n\"worker_count\": 2"))
          .warnings,
      ElementsAre("_comment: unknown key, ignored (line 3)",
                  "conections: unknown key, ignored; did you mean \"connections\"? (line 4)",
                  "worker_count: unknown key, ignored; it belongs inside a pool (line 5)"));
  EXPECT_THAT(
      accepted(pool_with(", \"log_workload_size\": 2, \"a\\u0007b\":\n3")).warnings,
      ElementsAre(
          "pools_list.P.log_workload_size: unknown key, ignored; it belongs at the top level (line 4)",
          "pools_list.P.\"a\\x07b\": unknown key, ignored (line 4)"));
}

TEST(Parse, ASchemaIsNamedWithoutAWarning) {
  EXPECT_THAT(warnings(top_with(R"("$schema": "jobs.schema.json")")), IsEmpty());
  EXPECT_THAT(
      warnings(pool_with(R"(,"$schema": "x")")),
      ElementsAre("pools_list.P.\"$schema\": unknown key, ignored; it belongs at the top level (line 4)"));
}

TEST(Parse, PasswordsAreNotShown) {
  for (const auto& line : errors(R"({"gearman_servers_list": ["h"], "pools_list": {"P": {"worker_count": 1,
      "job_processing_uri": "http://user:secret@h:0/", "jobs_list": ["f"]}}})")) {
    EXPECT_EQ(line.find("secret"), std::string::npos) << line;
  }
}

TEST(Parse, ManyProblemsAreCountedAndNotAllListed) {
  std::string lines;
  for (int i = 0; i < 1500; ++i) lines += ",\n\"key" + std::to_string(i) + "\": 1";
  const auto many = warnings(pool_with(lines));
  ASSERT_EQ(many.size(), 1001u);
  EXPECT_EQ(many[0], "pools_list.P.key0: unknown key, ignored (line 5)");
  EXPECT_EQ(many[1000], "and 500 more like these");
}

// A file in which the server's entry and the pool have these members.
std::string with_tls(const std::string& server, const std::string& pool,
                     const std::string& uri = "https://h/") {
  return R"({"gearman_servers_list": [)" + server + R"(], "pools_list": {"P": {"job_processing_uri": ")" +
         uri + R"(", "worker_count": 1, "jobs_list": ["f"])" + pool + "}}}";
}

TEST(Parse, TlsOfAServerAndOfAPool) {
  const net::TlsSettings all{"/ca", "/cert", "/key", "name.example", false};
  const std::string text = R"({"ca_file": "/ca", "certificate_file": "/cert", "key_file": "/key",
                               "server_name": "Name.example", "verify": false})";
  const Config full =
      accepted(with_tls(R"({"address": "a:1", "tls": )" + text + "}", R"(, "endpoint_tls": )" + text)).config;
  EXPECT_THAT(full.servers, ElementsAre(ServerConfig{{"a", 1}, all}));
  EXPECT_EQ(full.pools[0].endpoint_tls, all);

  const Config plain =
      accepted(with_tls(R"({"address": "a"}, {"address": "b", "tls": true}, {"address": "::1", "tls": {}})",
                        R"(, "endpoint_tls": true)"))
          .config;
  EXPECT_THAT(plain.servers, ElementsAre(ServerConfig{{"a", 4730}, std::nullopt},
                                         ServerConfig{{"b", 4730}, net::TlsSettings{}},
                                         ServerConfig{{"::1", 4730}, net::TlsSettings{}}));
  EXPECT_EQ(plain.pools[0].endpoint_tls, net::TlsSettings{});
  EXPECT_EQ(accepted(with_tls("\"a\"", R"(, "endpoint_tls": {"server_name": "::0:1"})"))
                .config.pools[0]
                .endpoint_tls.server_name,
            "::1");
}

TEST(Parse, ErrorsInTls) {
  const auto of_pool = [](const std::string& tls) {
    return errors(with_tls("\"a\"", ", \"endpoint_tls\": " + tls));
  };
  const std::string place = "pools_list.P.endpoint_tls";
  const std::string expected =
      ": expected true, or an object of ca_file, certificate_file, key_file, server_name and verify, got ";
  EXPECT_THAT(of_pool("false"), ElementsAre(place + expected + "false (line 1)"));
  EXPECT_THAT(of_pool("\"yes\""), ElementsAre(place + expected + "\"yes\" (line 1)"));
  EXPECT_THAT(of_pool(R"({"ca_flie": "/a"})"),
              ElementsAre(place + ".ca_flie: unknown key, remove it; did you mean \"ca_file\"? (line 1)"));
  EXPECT_THAT(
      of_pool(R"({"ca_file": "ca.pem"})"),
      ElementsAre(place + ".ca_file: expected the absolute path of a file in PEM, got \"ca.pem\" (line 1)"));
  EXPECT_THAT(of_pool(R"({"ca_file": "/a\u0000b"})"), SizeIs(1));
  EXPECT_THAT(
      of_pool(R"({"certificate_file": "/a"})"),
      ElementsAre(place +
                  ": expected key_file beside certificate_file: a certificate is of use only with its "
                  "key (line 1)"));
  EXPECT_THAT(of_pool(R"({"key_file": "/a"})"), SizeIs(1));
  EXPECT_THAT(
      of_pool(R"({"server_name": "a b"})"),
      ElementsAre(place +
                  ".server_name: expected a host name or address, got \"a b\": ' ' cannot stand in a host "
                  "name (line 1)"));
  EXPECT_THAT(of_pool(R"({"server_name": ""})"), SizeIs(1));
  EXPECT_THAT(of_pool(R"({"verify": 0})"),
              ElementsAre(place + ".verify: expected true or false, got 0 (line 1)"));
  EXPECT_THAT(
      accepted(with_tls("\"a\"", R"(, "endpoint_tls": {"ca_file": "/a", "verify": false})")).warnings,
      ElementsAre(place + ": ca_file is not used: with verify false any certificate is taken (line 1)"));
}

std::string with_root(const std::string& uri, const std::string& root) {
  return R"({"gearman_servers_list": ["h"], "pools_list": {"P": {"worker_count": 1, "jobs_list": [],
    "job_processing_uri": ")" +
         uri + R"(", "fastcgi_document_root": )" + root + "}}}";
}

TEST(Parse, FastcgiDocumentRoot) {
  const auto root = [](const std::string& text) {
    const auto parsed = parse(with_root("fcgi://h/srv/app/job.php", text));
    return parsed ? parsed->config.pools.at(0).fastcgi_document_root : "wrong";
  };
  EXPECT_EQ(root("\"/srv/app\""), "/srv/app");
  EXPECT_EQ(root("\"/srv//\""), "/srv");
  EXPECT_EQ(root("\"/\""), "/");
  EXPECT_EQ(root("\"\""), "");
  for (const std::string wrong : {"\"srv\"", "5", "null", "\"/srv/\\u0000\""}) {
    EXPECT_THAT(
        errors(with_root("fcgi://h/srv/app/job.php", wrong)),
        ElementsAre(testing::HasSubstr("pools_list.P.fastcgi_document_root: expected the absolute path of "
                                       "a folder, or \"\" for that of the script, got ")));
  }
}

TEST(Parse, AFastcgiDocumentRootThatDoesNotFitTheUriIsAnError) {
  EXPECT_THAT(errors(with_root("fcgi://h/srv/app/job.php", "\"/srv/ap\"")),
              ElementsAre("pools_list.P.fastcgi_document_root: expected a folder that the script "
                          "/srv/app/job.php is in, got \"/srv/ap\" (line 2)"));
  EXPECT_THAT(
      errors(with_root("http://h/srv/app/job.php", "\"/srv\"")),
      ElementsAre("pools_list.P.fastcgi_document_root: http://h/srv/app/job.php does not speak FastCGI: "
                  "write it with fcgi:// or fcgi+unix://, or remove fastcgi_document_root (line 2)"));
  EXPECT_THAT(errors(with_root("http://h/", "\"\"")), testing::IsEmpty());
}

TEST(Parse, TlsWithoutHttpsIsAnError) {
  EXPECT_THAT(errors(with_tls("\"a\"", R"(, "endpoint_tls": {})", "fcgi://h/x.php")),
              ElementsAre(testing::HasSubstr(
                  "fcgi://h/x.php does not use TLS: FastCGI knows none, remove endpoint_tls (line 1)")));
  for (const std::string uri : {"h", "http://h/", "http+unix://%2Fs/"}) {
    EXPECT_THAT(errors(with_tls("\"a\"", R"(, "endpoint_tls": {})", uri)),
                ElementsAre(testing::HasSubstr(
                    "does not use TLS: write it with https://, or remove endpoint_tls (line 1)")));
  }
}

TEST(Parse, AFunctionWithoutTheTlsOfItsPoolIsAWarning) {
  const auto warnings_of = [](const std::string& uri) {
    const auto parsed = parse(R"({"gearman_servers_list": ["h"], "pools_list": {"P": {
      "job_processing_uri": "https://h/", "endpoint_tls": {}, "worker_count": 1,
      "jobs_list": ["g", {"function": "f", "job_processing_uri": ")" +
                              uri + "\"}]}}}");
    EXPECT_TRUE(parsed);
    return parsed ? parsed->warnings : std::vector<std::string>();
  };
  EXPECT_THAT(
      warnings_of("http://u:hunter2@r/x"),
      ElementsAre("pools_list.P.jobs_list[1].job_processing_uri: http://***@r/x does not use TLS, as the "
                  "pool does (line 3)"));
  for (const std::string uri : {"https://r/", "http+unix://%2Fs/"})
    EXPECT_THAT(warnings_of(uri), testing::IsEmpty());
}

TEST(Parse, ErrorsInAServerObject) {
  const auto of_server = [](const std::string& server) { return errors(with_tls(server, "")); };
  EXPECT_THAT(of_server("{}"),
              ElementsAre("gearman_servers_list[0].address: missing, expected the address of a server "
                          "(line 1)"));
  EXPECT_THAT(of_server(R"({"address": "h:0", "tls": true})"), SizeIs(1));
  EXPECT_THAT(
      of_server(R"({"address": 1, "tls": true})"),
      ElementsAre("gearman_servers_list[0].address: expected the address of a server, got 1 (line 1)"));
  EXPECT_THAT(
      of_server(R"({"address": "h", "tsl": true})"),
      ElementsAre("gearman_servers_list[0].tsl: unknown key, remove it; did you mean \"tls\"? (line 1)"));
  EXPECT_THAT(accepted(with_tls(R"("h", {"address": "H:4730", "tls": true})", "")).warnings, SizeIs(1));
}

// A file with one pool. Its functions are on line 2.
std::string with_functions(const std::string& functions, const std::string& more = "") {
  return "{\"gearman_servers_list\": [\"h\"], \"pools_list\": {\"P\": {\n\"jobs_list\": [" + functions +
         "], \"job_processing_uri\": \"h\", \"worker_count\": 9" + more + "}}}";
}

TEST(Parse, FunctionsWithSettingsOfTheirOwn) {
  const Parsed parsed = accepted(with_functions(R"("f", {"function": "Resize", "max_running_time": 0.5,
      "max_concurrency": 4, "job_processing_uri": "http://r/"}, {"function": "g"}, {"function": "k",
      "max_concurrency": 1.0})"));
  EXPECT_THAT(parsed.warnings, IsEmpty());
  const PoolConfig& pool = parsed.config.pools[0];
  EXPECT_THAT(pool.jobs_list, ElementsAre("f", "Resize", "g", "k"));
  EXPECT_THAT(pool.functions, SizeIs(2));  // an object without settings is the same as the bare name
  EXPECT_EQ(pool.of_function("Resize"),
            (FunctionSettings{*net::parse_uri("http://r/"), 4, std::chrono::milliseconds(500)}));
  EXPECT_EQ(pool.of_function("k"), (FunctionSettings{.endpoint = {}, .max_concurrency = 1}));
  EXPECT_EQ(pool.of_function("f"), FunctionSettings{});
  EXPECT_EQ(accepted(with_functions(R"({"function": "f"})")).config,
            accepted(with_functions(R"("f")")).config);
}

TEST(Parse, ErrorsInAFunctionObject) {
  const auto of = [](const std::string& functions) { return errors(with_functions(functions)); };
  EXPECT_THAT(of("{}"), ElementsAre("pools_list.P.jobs_list[0].function: missing, expected the name of a "
                                    "function (line 2)"));
  EXPECT_THAT(of(R"("f", {"function": "", "max_concurrency": -1, "max_running_time": -1,
"job_processing_uri": "ftp://x/"})"),
              ElementsAre("pools_list.P.jobs_list[1].function: expected the name of a function, got \"\" "
                          "(line 2)",
                          "pools_list.P.jobs_list[1].max_concurrency: expected a whole number from 0 "
                          "(no limit) to 1000000, got -1 (line 2)",
                          "pools_list.P.jobs_list[1].max_running_time: expected a time from 0 (the "
                          "pool's) to 1000000000 s, got -1 (line 2)",
                          "pools_list.P.jobs_list[1].job_processing_uri: expected an http://, https://, "
                          "http+unix://, fcgi:// or fcgi+unix:// URI, got \"ftp://x/\": the scheme \"ftp\" "
                          "is not served (line 3)"));
  EXPECT_THAT(of(R"({"function": "f", "max_concurency": 1, "worker_count": 2})"),
              ElementsAre("pools_list.P.jobs_list[0].max_concurency: unknown key, remove it; did you mean "
                          "\"max_concurrency\"? (line 2)",
                          "pools_list.P.jobs_list[0].worker_count: unknown key, remove it (line 2)"));
  for (const char* wrong : {R"("4")", "1.5", "true", "null", "[]", "1000001", "-1"}) {
    EXPECT_THAT(of(R"({"function": "f", "max_concurrency": )" + std::string(wrong) + "}"), SizeIs(1))
        << wrong;
  }
  for (const char* wrong : {R"("4")", "-0.1", "true", "null", "{}", "1000000001", "1e400"}) {
    EXPECT_THAT(of(R"({"function": "f", "max_running_time": )" + std::string(wrong) + "}"), SizeIs(1))
        << wrong;
  }
  EXPECT_THAT(of(R"({"function": 1})"), SizeIs(1));
  EXPECT_THAT(of(R"({"function": "f", "job_processing_uri": null})"), SizeIs(1));
}

TEST(Parse, AFunctionListedTwiceIsAnErrorWhereOneHasSettings) {
  const std::string twice =
      "pools_list.P.jobs_list[1]: \"f\" is listed already, and only one entry can say how it runs; remove "
      "one "
      "(line 2)";
  for (const char* list : {R"("f", {"function": "f"})", R"({"function": "f"}, "f")",
                           R"({"function": "f", "max_concurrency": 1}, {"function": "f"})"}) {
    EXPECT_THAT(errors(with_functions(list)), ElementsAre(twice)) << list;
  }
}

TEST(Parse, TlsOfAPoolMayBeForAFunctionAlone) {
  const std::string tls = R"(, "endpoint_tls": {"verify": false})";
  EXPECT_THAT(errors(with_functions(R"("f")", tls)), SizeIs(1));
  EXPECT_THAT(errors(with_functions(R"({"function": "f", "job_processing_uri": "http://r/"})", tls)),
              SizeIs(1));
  EXPECT_THAT(errors(with_functions(R"({"function": "f", "job_processing_uri": "https://r/"})", tls)),
              IsEmpty());
}

TEST(Parse, AuthorizationOfAFunctionComesFromOnePlace) {
  const std::string headers = R"(, "headers": {"Authorization": "x"})";
  EXPECT_THAT(
      errors(with_functions(R"("g", {"function": "f", "job_processing_uri": "http://u:p@r/"})", headers)),
      ElementsAre("pools_list.P.jobs_list[1].job_processing_uri: it has a user, which is sent as "
                  "Authorization, and so has headers, the pool's or the top level's; remove one "
                  "(line 2)"));
}

}  // namespace
}  // namespace driveshaft::config
