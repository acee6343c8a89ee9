// SPDX-License-Identifier: MIT
#include "cli/control.h"

#include <gmock/gmock.h>

namespace driveshaft::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

ControlCommand accepted(const std::vector<const char*>& arguments) {
  EXPECT_TRUE(is_control_command(arguments));
  const auto command = parse_control_command(arguments);
  EXPECT_TRUE(command) << command.error().message;
  return command ? *command : ControlCommand{};
}

std::string refused(const std::vector<const char*>& arguments) {
  const auto command = parse_control_command(arguments);
  EXPECT_FALSE(command);
  return command ? "" : command.error().message;
}

TEST(ControlCommand, EachBecomesARequest) {
  auto command = accepted({"pause", "Web/f/g", "--for", "10m", "--reason", "deploy"});
  EXPECT_EQ(command.action, "pause");
  EXPECT_EQ(command.body, R"({"for":600,"reason":"deploy","pool":"Web","function":"f/g"})");
  EXPECT_EQ(accepted({"pause", "Web", "--for", "1500ms"}).body, R"({"for":1.5E0,"pool":"Web"})");
  EXPECT_EQ(command.socket, kControlSocket);
  EXPECT_EQ(accepted({"resume", "Web"}).body, R"({"pool":"Web"})");
  EXPECT_EQ(accepted({"cancel", "H:a:1", "H:a:2", "--requeue"}).body,
            R"({"requeue":true,"handles":["H:a:1","H:a:2"]})");
  EXPECT_EQ(accepted({"cancel", "--function", "f", "--older-than", "5m"}).body,
            R"({"function":"f","older_than":300})");
  EXPECT_EQ(accepted({"reload", "--control_socket", "/s"}).socket, "/s");
  EXPECT_EQ(accepted({"drain"}).body, "{}");
  EXPECT_EQ(accepted({"upgrade"}).action, "upgrade");
  EXPECT_EQ(accepted({"log-level", "Thread", "warn"}).body, R"({"logger":"Thread","level":"warn"})");
  EXPECT_FALSE(accepted({"drain"}).target);
  EXPECT_EQ(accepted({"drain", "--url", "http://h:1", "--token_file", "/t"}).target,
            (Target{{"h", 1}, false, "", "/t"}));
  EXPECT_EQ(accepted({"drain", "--ca_file=/c", "--url=https://h"}).target,
            (Target{{"h", 8888}, true, "/c", ""}));
  EXPECT_TRUE(accepted({"pause", "--help"}).help);
  EXPECT_FALSE(is_control_command(std::vector<const char*>{"stop"}));
}

TEST(ControlCommand, MistakesAreNamed) {
  EXPECT_THAT(refused({"pause"}), HasSubstr("pause: expected POOL[/FUNCTION]"));
  EXPECT_THAT(refused({"pause", "a", "b"}), HasSubstr("expected POOL"));
  EXPECT_THAT(refused({"pause", "a", "--for", "soon"}), HasSubstr("--for: expected a time such as"));
  EXPECT_THAT(refused({"pause", "a", "--for", "0"}), HasSubstr("--for: expected a time from 0.001 to"));
  EXPECT_THAT(refused({"cancel"}), HasSubstr("expected handles, or --function"));
  EXPECT_THAT(refused({"cancel", "H:a:1", "--function", "f"}), HasSubstr("expected handles, or --function"));
  const std::string cancel = "cancel: expected handles, or --function NAME --older-than TIME";
  EXPECT_EQ(refused({"cancel", "--function", "f"}), cancel);
  EXPECT_EQ(refused({"cancel", "--function", "", "--older-than", "5m"}), cancel);
  EXPECT_EQ(refused({"cancel", "--older-than", "5m"}), cancel);
  EXPECT_EQ(refused({"cancel", "H:a:1", "--older-than", "5m"}), cancel);
  EXPECT_EQ(refused({"log-level", "Main", "trace"}),
            "log-level: expected one of the levels debug, info, warn, error, got \"trace\"");
  EXPECT_EQ(refused({"log-level", "main", "warn"}),
            "log-level: expected the logger Main or Thread, got \"main\"");
  EXPECT_THAT(refused({"pause", ""}), HasSubstr("the name of the pool is empty"));
  EXPECT_THAT(refused({"resume", "/f"}), HasSubstr("the name of the pool is empty"));
  EXPECT_THAT(refused({"drain", "now"}), HasSubstr("expected no argument"));
  EXPECT_THAT(refused({"drain", "--token_file", "/t"}),
              HasSubstr("--token_file and --ca_file go with --url"));
  EXPECT_THAT(refused({"drain", "--url", "h", "--control_socket", "/s"}), HasSubstr("exclude each other"));
  EXPECT_THAT(refused({"drain", "--url", "h:x"}), HasSubstr("h:x"));
  EXPECT_THAT(refused({"pause", "a", "--resaon", "x"}), HasSubstr("did you mean --reason?"));
}

}  // namespace
}  // namespace driveshaft::cli
