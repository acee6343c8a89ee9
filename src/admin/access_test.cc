// SPDX-License-Identifier: MIT
#include "admin/access.h"

#include <gmock/gmock.h>

#include "text/base64.h"

namespace driveshaft::admin {
namespace {

using testing::HasSubstr;

const AccessRules kRules{.hosts = {"localhost", "worker-1"}};

unsigned status_of(const Asked& asked, const AccessRules& rules) {
  const auto access = decide(asked, rules);
  return access ? 200 : access.error().reply.status;
}

unsigned status_for(std::string_view host) { return status_of({.target = "/", .host = host}, kRules); }

TEST(Access, AddressesAndKnownNamesAreAnswered) {
  for (const char* host :
       {"127.0.0.1", "10.1.2.3:8888", "[::1]", "[::1]:8888", "[fe80::1%25eth0]", "localhost",
        "LocalHost:8888", "localhost.", "localhost.:80", "worker-1", "Worker-1:9100"}) {
    EXPECT_EQ(status_for(host), 200U) << host;
  }
}

TEST(Access, OtherNamesAreRefused) {
  for (const char* host :
       {"evil.example", "evil.example:8888", "worker-1.evil.example", "worker-10", "localhost.evil.example",
        "127.0.0.1.evil.example", "2130706433", "0x7f.1", "127.1", "1.2.3.4.", "a.localhost"}) {
    EXPECT_EQ(status_for(host), 421U) << host;
  }
}

TEST(Access, TheRefusalNamesTheHostAndTheOption) {
  const Refusal page = decide({.target = "/", .host = "Evil.example:8888"}, kRules).error();
  EXPECT_EQ(page.why, Refusal::Why::host);
  EXPECT_EQ(page.reply.body, page.said + "\n");
  EXPECT_EQ(
      page.said,
      "the host evil.example is not known here; if this daemon has that name, start it with --exporter_host "
      "evil.example");
  const Refusal api = decide({.target = "/api/v1/status", .host = "evil.example"}, kRules).error();
  EXPECT_EQ(api.reply.content_type, kJson);
  EXPECT_THAT(api.reply.body, HasSubstr(R"({"error":"the host evil.example is not known here)"));
}

TEST(Access, AMalformedHostIsABadRequest) {
  for (const char* host :
       {"", ":8888", "a b", "a,localhost", "localhost, localhost", "http://localhost", "u@localhost",
        "localhost:", "localhost:0", "localhost:99999", "[::1", "[::1]x", "\xff", "a/b"}) {
    EXPECT_EQ(status_for(host), 400U) << host;
  }
}

TEST(Access, OnlyHttp10NeedsNoHost) {
  EXPECT_EQ(status_of({.target = "/", .host = {}, .is_http_1_0 = true}, kRules), 200U);
  EXPECT_EQ(status_of({.target = "/", .host = {}}, kRules), 400U);
  EXPECT_EQ(status_of({.target = "/", .host = "evil.example", .is_http_1_0 = true}, kRules), 421U);
}

using Why = Refusal::Why;

const char* const kReader = "Bearer a-token-that-may-read";
const char* const kActor = "Bearer a-token-that-may-act";

AccessRules rules_with(bool read, bool act) {
  return {.hosts = {"localhost"},
          .read_token = text::Secret(read ? "a-token-that-may-read" : ""),
          .admin_token = text::Secret(act ? "a-token-that-may-act" : "")};
}

// A request of a browser at localhost:8888.
Asked asked_for(std::string_view target, std::string_view authorization = {},
                std::optional<std::string_view> origin = {}) {
  return {.target = target, .host = "localhost:8888", .authorization = authorization, .origin = origin};
}

// The decision as a text: "read", or the number of the status.
std::string verdict(const Asked& asked, const AccessRules& rules) {
  const auto access = decide(asked, rules);
  if (!access) return std::to_string(access.error().reply.status);
  return *access == Access::read ? "read" : *access == Access::act ? "act" : "status";
}

std::string basic(const std::string& user_and_password) { return "Basic " + text::base64(user_and_password); }

TEST(Access, WithoutTokensEverybodyReadsAndNobodyActs) {
  const auto rules = rules_with(false, false);
  for (const char* target : {"/", "/metrics", "/healthz", "/api/v1/status", "/api/v1/control/pause"}) {
    EXPECT_EQ(verdict(asked_for(target), rules), "read") << target;
    EXPECT_EQ(verdict(asked_for(target, "Bearer whatever-it-may-be"), rules), "read") << target;
    EXPECT_EQ(verdict(asked_for(target, "Bearer "), rules), "read") << target;
  }
}

TEST(Access, ReadingTakesTheTokenAsBearerOrAsAnyonesPassword) {
  const auto rules = rules_with(true, false);
  for (const auto& right : {std::string(kReader), std::string("bearer  a-token-that-may-read"),
                            basic("prometheus:a-token-that-may-read"), basic(":a-token-that-may-read")}) {
    EXPECT_EQ(verdict(asked_for("/metrics", right), rules), "read") << right;
  }
  for (const auto& wrong :
       {std::string("Bearer a-token-that-may-reaD"), std::string("Bearer a-token-that-may-read "),
        std::string(kActor), basic("a-token-that-may-read:x"), basic("user:a-token-that-may-read:")}) {
    const auto access = decide(asked_for("/metrics", wrong), rules);
    ASSERT_FALSE(access) << wrong;
    EXPECT_EQ(access.error().why, Why::wrong_token) << wrong;
    EXPECT_EQ(access.error().reply.status, 401U);
  }
  for (const auto& none :
       {std::string(), std::string("Bearer"), std::string("Bearer "), std::string("Basic ="),
        basic("no colon"), basic("user:"), std::string("Digest a-token-that-may-read"),
        std::string("a-token-that-may-read")}) {
    const auto access = decide(asked_for("/metrics", none), rules);
    ASSERT_FALSE(access) << none;
    EXPECT_EQ(access.error().why, Why::no_token) << none;
    EXPECT_EQ(access.error().reply.authenticate.size(), 2U) << "Basic, so that browsers ask, and Bearer";
  }
}

TEST(Access, ProbesLearnTheStatusWithoutAToken) {
  const auto rules = rules_with(true, true);
  for (const char* probe : {"/healthz", "/readyz", "/readyz?x"}) {
    EXPECT_EQ(verdict(asked_for(probe), rules), "status");
    EXPECT_EQ(verdict(asked_for(probe, kReader), rules), "read");
    EXPECT_EQ(verdict(asked_for(probe, "Bearer wrong"), rules), "401") << "guessing here is slowed, too";
  }
}

TEST(Access, ActingTakesTheAdminTokenAsBearerAlone) {
  for (const bool read : {false, true}) {
    const auto rules = rules_with(read, true);
    constexpr const char* kPause = "/api/v1/control/pause";
    EXPECT_EQ(verdict(asked_for(kPause, kActor), rules), "act");
    EXPECT_EQ(verdict(asked_for(kPause, basic("user:a-token-that-may-act")), rules), "401");
    EXPECT_EQ(verdict(asked_for(kPause), rules), "401");
    EXPECT_EQ(verdict(asked_for(kPause, kReader), rules), read ? "403" : "401");
    const auto refused = decide(asked_for(kPause, "Bearer wrong"), rules).error();
    EXPECT_EQ(refused.why, Why::wrong_token);
    EXPECT_EQ(refused.reply.authenticate.size(), 1U) << "a browser shall not ask for a password";
    EXPECT_EQ(verdict(asked_for("/api/v1/status", kActor), rules), "read") << "who acts may read";
  }
}

TEST(Access, APageOfAnotherSiteMayNotAct) {
  const auto rules = rules_with(false, true);
  const auto from = [&](std::string_view origin) {
    return verdict(asked_for("/api/v1/control/drain", kActor, origin), rules);
  };
  EXPECT_EQ(from("http://localhost:8888"), "act");
  EXPECT_EQ(from("https://LOCALHOST:8888"), "act") << "a proxy may speak TLS";
  for (const char* other :
       {"null", "", "http://localhost", "http://localhost:9999", "http://evil.example:8888",
        "http://localhost:8888.evil.example", "localhost:8888", "http://localhost:8888/"}) {
    EXPECT_EQ(from(other), "403") << other;
  }
  EXPECT_EQ(from("ftp://localhost:8888"), "403");
  EXPECT_EQ(verdict(asked_for("/api/v1/status", "", "http://evil.example"), rules), "read");
}

TEST(Access, APageLoadedWithoutTlsMayNotActOverTls) {
  auto rules = rules_with(false, true);
  rules.tls = true;
  const auto from = [&](std::string_view origin) {
    return verdict(asked_for("/api/v1/control/drain", kActor, origin), rules);
  };
  EXPECT_EQ(from("https://localhost:8888"), "act");
  EXPECT_EQ(from("http://localhost:8888"), "403");
  EXPECT_EQ(from("https://localhost:9999"), "403");
}

}  // namespace
}  // namespace driveshaft::admin
