// SPDX-License-Identifier: MIT
#include "admin/action.h"

#include <gmock/gmock.h>

namespace driveshaft::admin {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

template <class Wanted>
Wanted accepted(std::string_view name, std::string_view body) {
  const auto action = parse_action("POST", "/api/v1/control/" + std::string(name), body);
  if (!action) {
    ADD_FAILURE() << action.error().body;
    return {};
  }
  return std::get<Wanted>(*action);
}

Reply refused(std::string_view name, std::string_view body, std::string_view method = "POST") {
  const auto action = parse_action(method, "/api/v1/control/" + std::string(name), body);
  EXPECT_FALSE(action);
  return action ? Reply{} : action.error();
}

TEST(Action, EachActionIsRead) {
  const auto pause =
      accepted<PauseAction>("pause", R"({"pool": "P", "function": "f", "for": 1.5, "reason": "deploy"})");
  EXPECT_EQ(pause.pool, "P");
  EXPECT_EQ(pause.function, "f");
  EXPECT_EQ(pause.lasts, 1500ms);
  EXPECT_EQ(pause.reason, "deploy");
  EXPECT_FALSE(accepted<PauseAction>("pause", R"({"pool": "P"})").lasts);
  EXPECT_EQ(accepted<ResumeAction>("resume", R"({"pool": "P"})").pool, "P");
  EXPECT_THAT(accepted<CancelAction>("cancel", R"({"handles": ["H:a:1", "H:a:2"]})").handles,
              ElementsAre("H:a:1", "H:a:2"));
  const auto cancel =
      accepted<CancelAction>("cancel", R"({"function": "f", "older_than": 300, "requeue": true})");
  EXPECT_EQ(cancel.function, "f");
  EXPECT_EQ(cancel.older_than, 300s);
  EXPECT_TRUE(cancel.requeue);
  const auto rerun =
      accepted<RerunLettersAction>("rerun-letters", R"({"pool": "P", "function": "f", "limit": 10000})");
  EXPECT_EQ(rerun.pool, "P");
  EXPECT_EQ(rerun.function, "f");
  EXPECT_EQ(rerun.limit, 10'000U);
  EXPECT_EQ(accepted<RerunLettersAction>("rerun-letters", R"({"pool": "P"})").limit,
            RerunLettersAction::kMost);
  accepted<ReloadAction>("reload", "");
  accepted<DrainAction>("drain", "{}");
  accepted<UpgradeAction>("upgrade", "{}");
  const auto level =
      accepted<LogLevelAction>("log-level", R"({"logger": "Thread", "level": "warn", "for": 60})");
  EXPECT_EQ(level.level, log::Level::warn);
  EXPECT_EQ(level.lasts, 60s);
}

TEST(Action, HasTheNameOfItsRequest) {
  for (const char* name : {"reload", "drain"})
    EXPECT_EQ(name_of(*parse_action("POST", "/api/v1/control/" + std::string(name), "")), name);
  EXPECT_EQ(name_of(PauseAction{}), "pause");
  EXPECT_EQ(name_of(ResumeAction{}), "resume");
  EXPECT_EQ(name_of(CancelAction{}), "cancel");
  EXPECT_EQ(name_of(RerunLettersAction{}), "rerun-letters");
  EXPECT_EQ(name_of(LogLevelAction{}), "log-level");
}

TEST(Action, AMalformedRequestIsRefusedWithTheReason) {
  const struct {
    const char* name;
    const char* body;
    const char* said;
  } cases[] = {
      {"pause", "", "pool: expected a string"},
      {"pause", "[]", "an object of JSON"},
      {"pause", "{", "an object of JSON"},
      {"pause", R"({"pool": 1})", "pool: expected a string"},
      {"pause", R"({"pool": "P", "for": 0})", "for: expected a number of seconds above 0"},
      {"pause", R"({"pool": "P", "for": "10"})", "for: expected"},
      {"pause", R"({"pool": "P", "fro": 1})",
       "unknown member \\\"fro\\\"; expected pool, function, for, reason"},
      {"rerun-letters", "{}", "pool: expected a string"},
      {"rerun-letters", R"({"pool": "P", "limit": 0})", "limit: expected a whole number from 1 to 10000"},
      {"rerun-letters", R"({"pool": "P", "limit": 10001})", "limit: expected a whole number"},
      {"rerun-letters", R"({"pool": "P", "limit": 1.5})", "limit: expected a whole number"},
      {"rerun-letters", R"({"pool": "P", "limit": "1"})", "limit: expected a whole number"},
      {"cancel", "{}", "handles: expected these, or a function and older_than"},
      {"cancel", R"({"handles": []})", "handles: expected an array"},
      {"cancel", R"({"handles": [1]})", "handles: expected an array"},
      {"cancel", R"({"function": "f"})", "older_than: expected a number"},
      {"cancel", R"({"handles": ["h"], "function": "f", "older_than": 1})", "handles: expected these, or"},
      {"cancel", R"({"handles": ["h"], "older_than": 1})", "older_than: expected none"},
      {"cancel", R"({"handles": ["h"], "requeue": 1})", "requeue: expected true or false"},
      {"reload", R"({"now": true})", "unknown member \\\"now\\\"; expected none"},
      {"log-level", R"({"logger": "root", "level": "info"})", "logger: expected Main or Thread"},
      {"log-level", R"({"logger": "Main", "level": "loud"})",
       "level: expected one of debug, info, warn, error"},
  };
  for (const auto& [name, body, said] : cases) {
    const Reply reply = refused(name, body);
    EXPECT_EQ(reply.status, 400U) << body;
    EXPECT_THAT(reply.body, HasSubstr(said)) << body;
  }
  EXPECT_EQ(refused("explode", "").status, 404U);
  EXPECT_EQ(parse_action("POST", "/api/v1/cnotrol/reload", "{}").error().status, 404U);
  EXPECT_EQ(refused("pause", "", "GET").status, 405U);
  EXPECT_EQ(refused("pause", "", "GET").allow, "POST");
}

}  // namespace
}  // namespace driveshaft::admin
