// SPDX-License-Identifier: MIT
#include "config/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace driveshaft::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

PoolConfig pool(std::string name, int worker_count = 4) {
  return {std::move(name), *net::parse_uri("http://user:old@h/job.php"), worker_count, {"Sum", "Sum2"}, {}};
}

Config one_pool(PoolConfig p) { return {{{"a", 4730}}, {std::move(p)}, 1024}; }

// The lines for a reload that does `change` to the pool Regular.
template <class Change>
std::vector<std::string> lines_for(Change change) {
  PoolConfig after = pool("Regular");
  change(after);
  return compare(one_pool(pool("Regular")), one_pool(after));
}

std::vector<std::string> lines_for_functions(std::vector<std::string> jobs_list) {
  return lines_for([&](PoolConfig& p) { p.jobs_list = std::move(jobs_list); });
}

TEST(Diff, NothingChanged) {
  const Config config{{{"a", 1}, {"b", 2}}, {pool("P"), pool("Q")}, 1024};
  EXPECT_THAT(compare(config, config), IsEmpty());
}

TEST(Diff, TheOrderOfServersAndPoolsDoesNotMatter) {
  const Config before{{{"a", 1}, {"b", 2}}, {pool("P"), pool("Q")}, 1024};
  const Config after{{{"b", 2}, {"a", 1}}, {pool("Q"), pool("P")}, 1024};
  EXPECT_THAT(compare(before, after), IsEmpty());
}

TEST(Diff, ServersComeAndGo) {
  const Config before{{{"a", 1}, {"b", 2}}, {}, 1024};
  const Config after{{{"b", 3}, {"a", 1}, {"::1", 9}}, {}, 1024};
  EXPECT_THAT(compare(before, after),
              ElementsAre("server b:3: added", "server [::1]:9: added", "server b:2: removed"));
}

TEST(Diff, PoolsComeAndGo) {
  const Config before{{}, {pool("P"), pool("Q")}, 1024};
  const Config after{{}, {pool("Q"), pool("R", 8)}, 1024};
  EXPECT_THAT(compare(before, after),
              ElementsAre("pool R: added, worker_count 8, http://***@h/job.php, jobs_list: "
                          "Sum, Sum2",
                          "pool P: removed"));
}

TEST(Diff, WorkerCount) {
  EXPECT_THAT(lines_for([](PoolConfig& p) { p.worker_count = 8; }),
              ElementsAre("pool Regular: worker_count 4 -> 8"));
}

// An endpoint acts on the changes that the log names.
TEST(Diff, RenewalsComeWithTheLines) {
  const auto change_of = [](auto change) {
    PoolConfig after = pool("Regular");
    change(after);
    const auto changes = compare(pool("Regular"), after);
    EXPECT_EQ(changes.size(), 1u);
    EXPECT_FALSE(changes.at(0).lines.empty());
    return changes.at(0);
  };
  EXPECT_EQ(
      change_of([](PoolConfig& p) { p.endpoint = *net::parse_uri("http://user:new@h/job.php"); }).renewal,
      Renewal::none);
  EXPECT_EQ(change_of([](PoolConfig& p) { p.endpoint_tls.verify = false; }).renewal, Renewal::connections);
  EXPECT_EQ(change_of([](PoolConfig& p) { p.fastcgi_document_root = "/srv"; }).renewal, Renewal::connections);
  EXPECT_EQ(change_of([](PoolConfig& p) { p.settings.endpoint_connect_timeout = {}; }).renewal,
            Renewal::connections);
  EXPECT_EQ(change_of([](PoolConfig& p) { p.settings.max_response_size = 1; }).renewal, Renewal::connections);
  EXPECT_EQ(change_of([](PoolConfig& p) { p.settings.headers.emplace_back(); }).renewal,
            Renewal::header_lines);
  EXPECT_EQ(change_of([](PoolConfig& p) { p.settings.signing.file = "/s"; }).renewal, Renewal::signer);
  EXPECT_EQ(change_of([](PoolConfig& p) { p.worker_count = 1; }).renewal, Renewal::none);
  EXPECT_EQ(change_of([](PoolConfig& p) { p.functions["Sum"].max_concurrency = 1; }).key, "jobs_list");
  EXPECT_THAT(compare(pool("Regular"), pool("Regular")), IsEmpty());
}

TEST(Diff, Uri) {
  EXPECT_THAT(lines_for([](PoolConfig& p) { p.endpoint = *net::parse_uri("https://b/"); }),
              ElementsAre("pool Regular: job_processing_uri http://***@h/job.php -> https://b/"));
  const auto password =
      lines_for([](PoolConfig& p) { p.endpoint = *net::parse_uri("http://user:new@h/job.php"); });
  EXPECT_THAT(
      password,
      ElementsAre("pool Regular: job_processing_uri http://***@h/job.php: another user, password or query"));
}

TEST(Diff, Functions) {
  EXPECT_THAT(
      lines_for_functions({"Sum4", "Sum2", "Sum3"}),
      ElementsAre("pool Regular: jobs_list: added Sum4, Sum3", "pool Regular: jobs_list: removed Sum"));
}

TEST(Diff, AnotherOrderOfFunctions) {
  EXPECT_THAT(lines_for_functions({"Sum2", "Sum"}), ElementsAre("pool Regular: jobs_list: in another order"));
  EXPECT_THAT(lines_for_functions({"Sum2", "New", "Sum"}),
              ElementsAre("pool Regular: jobs_list: added New", "pool Regular: jobs_list: in another order"));
  EXPECT_THAT(lines_for_functions({"Sum", "New", "Sum2"}), ElementsAre("pool Regular: jobs_list: added New"));
}

TEST(Diff, Settings) {
  EXPECT_THAT(lines_for([](PoolConfig& p) {
                p.settings.request_format = RequestFormat::multipart;
                p.settings.failure_text = FailureText::drop;
                p.settings.gearmand_connections = 2;
                p.settings.endpoint_connect_timeout = std::chrono::milliseconds(2500);
                p.settings.max_response_size = 10;
              }),
              ElementsAre("pool Regular: request_format \"json\" -> \"multipart\"",
                          "pool Regular: failure_text \"warning\" -> \"drop\"",
                          "pool Regular: gearmand_connections 1 -> 2",
                          "pool Regular: endpoint_connect_timeout 5 -> 2.5",
                          "pool Regular: max_response_size 67108864 -> 10"));
}

TEST(Diff, LogWorkloadSize) {
  EXPECT_THAT(compare(Config{{}, {}, 1024}, Config{{}, {}, 10}), ElementsAre("log_workload_size 1024 -> 10"));
}

TEST(Diff, TlsOfAServer) {
  const Config plain{{{"a", 1}}, {}, 1024};
  Config tls = plain;
  tls.servers[0].tls = net::TlsSettings{"/ca", "/cert", "/key", "", true};
  const std::string text = R"({"ca_file": "/ca", "certificate_file": "/cert", "key_file": "/key"})";
  EXPECT_THAT(compare(plain, tls), ElementsAre("server a:1: tls none -> " + text));
  Config other = tls;
  other.servers[0].tls->verify = false;
  EXPECT_THAT(compare(other, tls), SizeIs(1));
  EXPECT_THAT(compare(tls, plain), ElementsAre("server a:1: tls " + text + " -> none"));
  EXPECT_THAT(compare(Config{}, tls), testing::Contains("server a:1: added, tls " + text));
}

TEST(Diff, TlsOfAPool) {
  EXPECT_THAT(lines_for([](PoolConfig& p) { p.endpoint_tls.server_name = "n"; }),
              ElementsAre(R"(pool Regular: endpoint_tls {} -> {"server_name": "n"})"));
}

TEST(Diff, SettingsOfFunctions) {
  EXPECT_THAT(lines_for([](PoolConfig& p) {
                auto& sum = p.functions["Sum"];
                sum.endpoint = *net::parse_uri("http://u:secret@r/");
                sum.max_concurrency = 4;
                sum.max_running_time = std::chrono::milliseconds(500);
              }),
              ElementsAre("pool Regular: jobs_list: Sum: max_concurrency none -> 4",
                          "pool Regular: jobs_list: Sum: max_running_time none -> 0.5",
                          "pool Regular: jobs_list: Sum: job_processing_uri none -> \"http://***@r/\""));
  PoolConfig before = pool("Regular");
  before.functions["Sum"].endpoint = *net::parse_uri("http://u:secret@r/");
  PoolConfig after = before;
  after.functions["Sum"].endpoint = net::parse_uri("http://u:other@r/").value();
  EXPECT_THAT(compare(one_pool(before), one_pool(after)),
              ElementsAre("pool Regular: jobs_list: Sum: job_processing_uri \"http://***@r/\": another user, "
                          "password or query"));
}

TEST(Diff, Fairness) {
  EXPECT_THAT(lines_for([](PoolConfig& p) { p.settings.fairness = Fairness::function; }),
              ElementsAre("pool Regular: fairness \"none\" -> \"function\""));
}

}  // namespace
}  // namespace driveshaft::config
