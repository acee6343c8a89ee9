// SPDX-License-Identifier: MIT
#include "admin/routes.h"

#include <gmock/gmock.h>

#include <stdexcept>

namespace driveshaft::admin {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const Sources kSources{.metrics = [] { return std::string("m 1\n"); },
                       .health =
                           [] {
                             return Health{true, "the loop turns"};
                           },
                       .ready =
                           [] {
                             return Health{false, "no gearmand"};
                           }};

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

TEST(Routes, IndexListsEveryPath) {
  const Reply reply = answer("GET", "/", kSources);
  for (const char* path : {"/metrics", "/healthz", "/readyz"}) EXPECT_THAT(reply.body, HasSubstr(path));
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

TEST(Routes, ASourceThatThrows) {
  Sources broken = kSources;
  broken.metrics = []() -> std::string { throw std::runtime_error("secret"); };
  const Reply reply = answer("GET", "/metrics", broken);
  EXPECT_EQ(reply.status, 500U);
  EXPECT_THAT(reply.body, testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace driveshaft::admin
