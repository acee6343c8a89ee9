// SPDX-License-Identifier: MIT
#include "cli/command.h"

#include <gmock/gmock.h>

namespace driveshaft::cli {
namespace {

using testing::HasSubstr;

base::Result<Command> parse(std::vector<const char*> arguments) { return parse_command(arguments); }

TEST(Command, Names) {
  EXPECT_TRUE(is_command(std::vector<const char*>{"status"}));
  EXPECT_TRUE(is_command(std::vector<const char*>{"top", "h"}));
  EXPECT_TRUE(is_command(std::vector<const char*>{"jobs"}));
  EXPECT_TRUE(is_command(std::vector<const char*>{"failures"}));
  EXPECT_FALSE(is_command(std::vector<const char*>{}));
  EXPECT_FALSE(is_command(std::vector<const char*>{"--jobsconfig", "status"}));
}

TEST(Command, AddressesAreAsInExporterAddr) {
  EXPECT_EQ(parse({"status"})->daemon, (net::Address{"127.0.0.1", 8888}));
  EXPECT_EQ(parse({"top", "worker-1"})->daemon, (net::Address{"worker-1", 8888}));
  EXPECT_EQ(parse({"top", "[::1]:9000"})->daemon, (net::Address{"::1", 9000}));
  EXPECT_EQ(parse({"status", "9000"})->daemon, (net::Address{"127.0.0.1", 9000}));
  EXPECT_EQ(parse({"top", ":9000"})->daemon, (net::Address{"127.0.0.1", 9000}));
}

TEST(Command, Options) {
  const auto status = parse({"status", "--json", "h:1"});
  EXPECT_TRUE(status->json);
  EXPECT_EQ(status->daemon, (net::Address{"h", 1}));
  const auto failures = parse({"failures", "--pool", "Regular", "--follow"});
  EXPECT_EQ(failures->name, Command::Name::failures);
  EXPECT_EQ(failures->pool, "Regular");
  EXPECT_TRUE(failures->follow);
  EXPECT_EQ(parse({"jobs", "--pool=Regular"})->pool, "Regular");
  EXPECT_TRUE(parse({"jobs", "--help"})->help);
}

TEST(Command, Mistakes) {
  for (const auto& [arguments, shown] : std::vector<std::pair<std::vector<const char*>, const char*>>{
           {{"status", "--jsno"}, "--jsno"},
           {{"top", "--json"}, "--json"},
           {{"jobs", "--follow"}, "--follow"},
           {{"failures", "--json", "--follow"}, "--json"},
           {{"status", "a", "b"}, "\"b\""},
           {{"status", "h:port"}, "h:port"}}) {
    const auto command = parse_command(arguments);
    ASSERT_FALSE(command) << shown;
    EXPECT_THAT(command.error().message, HasSubstr(shown));
  }
}

}  // namespace
}  // namespace driveshaft::cli
