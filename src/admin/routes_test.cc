// SPDX-License-Identifier: MIT
#include "admin/routes.h"

#include <gmock/gmock.h>

namespace driveshaft::admin {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Health turning() { return {true, "the loop turns"}; }

Health without_gearmand() { return {false, "no gearmand"}; }

const Sources kSources{
    .metrics = [] { return std::string("m 1\n"); }, .health = turning, .ready = without_gearmand};

TEST(Routes, Metrics) {
  const Reply reply = answer("GET", "/metrics", kSources);
  EXPECT_EQ(reply.status, 200U);
  EXPECT_THAT(reply.content_type, StartsWith("text/plain; version=0.0.4"));
  EXPECT_EQ(reply.body, "m 1\n");
}

TEST(Routes, AQueryIsNoPartOfThePath) {
  EXPECT_EQ(answer("GET", "/metrics?a=b", kSources).body, "m 1\n");
  EXPECT_EQ(answer("GET", "/?", kSources).status, 200U);
}

TEST(Routes, HealthIsOkOrUnavailableAndSaysWhy) {
  EXPECT_EQ(answer("GET", "/healthz", kSources).status, 200U);
  EXPECT_EQ(answer("GET", "/healthz", kSources).body, "the loop turns\n");
  EXPECT_EQ(answer("GET", "/readyz", kSources).status, 503U);
  EXPECT_EQ(answer("GET", "/readyz", kSources).body, "no gearmand\n");
}

TEST(Routes, AProbeWithoutATokenGetsOnlyTheStatus) {
  for (const char* target : {"/healthz", "/readyz", "/readyz?verbose"})
    EXPECT_TRUE(is_probe(target)) << target;
  for (const char* target : {"/", "/metrics", "/healthz/", "/healthzz", ""})
    EXPECT_FALSE(is_probe(target)) << target;
  EXPECT_EQ(without_details(answer("GET", "/healthz", kSources)).body, "ok\n");
  const Reply not_ready = without_details(answer("GET", "/readyz", kSources));
  EXPECT_EQ(not_ready.status, 503U);
  EXPECT_EQ(not_ready.body, "not ok\n");
  EXPECT_EQ(without_details(answer("POST", "/readyz", kSources)).body, "only GET and HEAD\n");
}

TEST(Routes, ThePageAndItsFiles) {
  const Reply page = answer("GET", "/", kSources);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.body, StartsWith("<!doctype html>"));
  EXPECT_EQ(answer("POST", "/", kSources).status, 405U);
  const Reply library = answer("GET", "/dygraph.js", kSources);
  EXPECT_EQ(library.content_type, "text/javascript");
  EXPECT_THAT(library.body, HasSubstr("Dygraph"));
}

// Everything that the page refers to is in the program, and the page has no inline script or style: its
// content security policy would block them.
TEST(Routes, ThePageNeedsNoOtherHost) {
  const std::string page = answer("GET", "/", kSources).body;
  for (std::size_t at = page.find("=\"/"); at != page.npos; at = page.find("=\"/", at + 1)) {
    const std::string path = page.substr(at + 2, page.find('"', at + 2) - at - 2);
    if (path.starts_with("/api/")) continue;
    EXPECT_EQ(answer("GET", path, kSources).status, path == "/readyz" ? 503U : 200U) << path;
  }
  for (const char* inline_or_foreign :
       {"<style", " style=", " onclick=", " onload=", "http://", "https://", "<script>"}) {
    EXPECT_THAT(page, Not(HasSubstr(inline_or_foreign)));
  }
}

TEST(Routes, UnknownPaths) {
  for (const char* target : {"/metricsx", "/metrics/", "", "*", "//", "?", "http://h/metrics"}) {
    EXPECT_EQ(answer("GET", target, kSources).status, 404U) << target;
  }
}

TEST(Routes, OnlyReading) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get", ""}) {
    const Reply reply = answer(method, "/metrics", kSources);
    EXPECT_EQ(reply.status, 405U) << method;
    EXPECT_EQ(reply.allow, "GET, HEAD");
  }
  EXPECT_EQ(answer("HEAD", "/metrics", kSources).status, 200U);
  EXPECT_EQ(answer("POST", "/nothing", kSources).status, 404U);
}

}  // namespace
}  // namespace driveshaft::admin
