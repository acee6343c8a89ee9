// SPDX-License-Identifier: MIT
#include "config/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace driveshaft::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Pool pool(std::string name, int worker_count = 4) {
  return {std::move(name), *net::parse_uri("http://user:old@h/job.php"), worker_count, {"Sum", "Sum2"}, {}};
}

Config one_pool(Pool p) { return {{{"a", 4730}}, {std::move(p)}, 1024}; }

// The lines for a reload that does `change` to the pool Regular.
template <class Change>
std::vector<std::string> lines_for(Change change) {
  Pool after = pool("Regular");
  change(after);
  return describe(compare(one_pool(pool("Regular")), one_pool(after)));
}

TEST(Diff, NothingChanged) {
  const Config config{{{"a", 1}, {"b", 2}}, {pool("P"), pool("Q")}, 1024};
  const Diff diff = compare(config, config);
  EXPECT_TRUE(diff.empty());
  EXPECT_THAT(describe(diff), IsEmpty());
}

TEST(Diff, TheOrderOfServersAndPoolsIsOfNoConsequence) {
  const Config before{{{"a", 1}, {"b", 2}}, {pool("P"), pool("Q")}, 1024};
  const Config after{{{"b", 2}, {"a", 1}}, {pool("Q"), pool("P")}, 1024};
  EXPECT_TRUE(compare(before, after).empty());
}

TEST(Diff, ServersComeAndGo) {
  const Diff diff = compare({{{"a", 1}, {"b", 2}}, {}, 1024}, {{{"b", 3}, {"a", 1}, {"::1", 9}}, {}, 1024});
  EXPECT_THAT(diff.servers_added, ElementsAre(Server{{"b", 3}}, Server{{"::1", 9}}));
  EXPECT_THAT(diff.servers_removed, ElementsAre(Server{{"b", 2}}));
  EXPECT_FALSE(diff.empty());
  EXPECT_THAT(describe(diff),
              ElementsAre("server b:3: added", "server [::1]:9: added", "server b:2: removed"));
}

TEST(Diff, PoolsComeAndGo) {
  const Diff diff = compare({{}, {pool("P"), pool("Q")}, 1024}, {{}, {pool("Q"), pool("R", 8)}, 1024});
  ASSERT_EQ(diff.pools_added.size(), 1u);
  EXPECT_EQ(diff.pools_added[0], pool("R", 8));
  ASSERT_EQ(diff.pools_removed.size(), 1u);
  EXPECT_EQ(diff.pools_removed[0], pool("P"));
  EXPECT_THAT(diff.pools_changed, IsEmpty());
  EXPECT_THAT(describe(diff),
              ElementsAre("pool R: added, worker_count 8, http://user:***@h/job.php, jobs_list: "
                          "Sum, Sum2",
                          "pool P: removed"));
}

TEST(Diff, WorkerCount) {
  const Diff diff = compare(one_pool(pool("Regular", 4)), one_pool(pool("Regular", 8)));
  ASSERT_EQ(diff.pools_changed.size(), 1u);
  const PoolChange& change = diff.pools_changed[0];
  EXPECT_EQ(change.before, pool("Regular", 4));
  EXPECT_EQ(change.after, pool("Regular", 8));
  EXPECT_TRUE(change.worker_count_changed());
  EXPECT_FALSE(change.uri_changed());
  EXPECT_FALSE(change.functions_changed());
  EXPECT_FALSE(change.settings_changed());
  EXPECT_THAT(describe(diff), ElementsAre("pool Regular: worker_count 4 -> 8"));
}

TEST(Diff, Uri) {
  EXPECT_THAT(lines_for([](Pool& p) { p.uri = *net::parse_uri("https://b/"); }),
              ElementsAre("pool Regular: job_processing_uri http://user:***@h/job.php -> https://b/"));
  const auto password = lines_for([](Pool& p) { p.uri = *net::parse_uri("http://user:new@h/job.php"); });
  EXPECT_THAT(password,
              ElementsAre("pool Regular: job_processing_uri http://user:***@h/job.php: another password"));
}

TEST(Diff, Functions) {
  Pool after = pool("Regular");
  after.jobs_list = {"Sum4", "Sum2", "Sum3"};
  const Diff diff = compare(one_pool(pool("Regular")), one_pool(after));
  ASSERT_EQ(diff.pools_changed.size(), 1u);
  const PoolChange& change = diff.pools_changed[0];
  EXPECT_THAT(change.functions_added, ElementsAre("Sum4", "Sum3"));
  EXPECT_THAT(change.functions_removed, ElementsAre("Sum"));
  EXPECT_FALSE(change.functions_reordered);
  EXPECT_TRUE(change.functions_changed());
  EXPECT_THAT(describe(diff), ElementsAre("pool Regular: jobs_list: added Sum4, Sum3",
                                          "pool Regular: jobs_list: removed Sum"));
}

TEST(Diff, AnotherOrderOfFunctions) {
  EXPECT_THAT(lines_for([](Pool& p) {
                p.jobs_list = {"Sum2", "Sum"};
              }),
              ElementsAre("pool Regular: jobs_list: in another order"));
  EXPECT_THAT(lines_for([](Pool& p) {
                p.jobs_list = {"Sum2", "New", "Sum"};
              }),
              ElementsAre("pool Regular: jobs_list: added New", "pool Regular: jobs_list: in another order"));
  EXPECT_THAT(lines_for([](Pool& p) {
                p.jobs_list = {"Sum", "New", "Sum2"};
              }),
              ElementsAre("pool Regular: jobs_list: added New"));
}

TEST(Diff, Settings) {
  EXPECT_THAT(lines_for([](Pool& p) {
                p.settings.request_format = RequestFormat::multipart;
                p.settings.failure_text = FailureText::drop;
                p.settings.connections = 2;
                p.settings.connect_timeout = std::chrono::milliseconds(2500);
                p.settings.max_response_size = 10;
              }),
              ElementsAre("pool Regular: request_format \"json\" -> \"multipart\"",
                          "pool Regular: failure_text \"exception\" -> \"drop\"",
                          "pool Regular: connections 1 -> 2", "pool Regular: connect_timeout 5 -> 2.5",
                          "pool Regular: max_response_size 67108864 -> 10"));
}

TEST(Diff, LogWorkloadSize) {
  const Diff diff = compare({{}, {}, 1024}, {{}, {}, 10});
  EXPECT_FALSE(diff.empty());
  EXPECT_THAT(describe(diff), ElementsAre("log_workload_size 1024 -> 10"));
}

TEST(Diff, TlsOfAServer) {
  const Config plain{{{"a", 1}}, {}, 1024};
  Config tls = plain;
  tls.servers[0].tls = net::TlsSettings{"/ca", "/cert", "/key", "", true};
  const Diff diff = compare(plain, tls);
  EXPECT_FALSE(diff.empty());
  EXPECT_THAT(diff.servers_added, IsEmpty());
  const std::string text = R"({"ca_file": "/ca", "certificate_file": "/cert", "key_file": "/key"})";
  EXPECT_THAT(describe(diff), ElementsAre("server a:1: tls none -> " + text));
  Config other = tls;
  other.servers[0].tls->verify = false;
  EXPECT_THAT(describe(compare(other, tls)), SizeIs(1));
  EXPECT_THAT(describe(compare(tls, plain)), ElementsAre("server a:1: tls " + text + " -> none"));
  EXPECT_THAT(describe(compare({}, tls)), testing::Contains("server a:1: added, tls " + text));
}

TEST(Diff, TlsOfAPool) {
  EXPECT_THAT(lines_for([](Pool& p) { p.tls.server_name = "n"; }),
              ElementsAre(R"(pool Regular: tls {} -> {"server_name": "n"})"));
}

TEST(Diff, SettingsOfFunctions) {
  EXPECT_THAT(
      lines_for([](Pool& p) {
        p.functions["Sum"] = {*net::parse_uri("http://u:secret@r/"), 4, std::chrono::milliseconds(500)};
      }),
      ElementsAre("pool Regular: jobs_list: Sum: max_concurrency none -> 4",
                  "pool Regular: jobs_list: Sum: max_running_time none -> 0.5",
                  "pool Regular: jobs_list: Sum: job_processing_uri none -> \"http://u:***@r/\""));
  Pool before = pool("Regular");
  before.functions["Sum"] = {*net::parse_uri("http://u:secret@r/"), 0, {}};
  Pool after = before;
  after.functions["Sum"].uri = net::parse_uri("http://u:other@r/").value();
  EXPECT_THAT(describe(compare(one_pool(before), one_pool(after))),
              ElementsAre("pool Regular: jobs_list: Sum: job_processing_uri: another password"));
}

TEST(Diff, Fairness) {
  EXPECT_THAT(lines_for([](Pool& p) { p.settings.fairness = Fairness::function; }),
              ElementsAre("pool Regular: fairness \"none\" -> \"function\""));
}

}  // namespace
}  // namespace driveshaft::config
