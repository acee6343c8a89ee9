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
  EXPECT_EQ(parse({"status"})->target.address, (net::Address{"127.0.0.1", 8888}));
  EXPECT_EQ(parse({"top", "worker-1"})->target.address, (net::Address{"worker-1", 8888}));
  EXPECT_EQ(parse({"top", "[::1]:9000"})->target.address, (net::Address{"::1", 9000}));
  EXPECT_EQ(parse({"status", "9000"})->target.address, (net::Address{"127.0.0.1", 9000}));
  EXPECT_EQ(parse({"top", ":9000"})->target.address, (net::Address{"127.0.0.1", 9000}));
}

TEST(Command, TheAddressMayBeAUrl) {
  EXPECT_EQ(parse({"status", "--url", "http://worker-1:9000/"})->target.address,
            (net::Address{"worker-1", 9000}));
  EXPECT_EQ(parse({"jobs", "http://worker-1"})->target.address, (net::Address{"worker-1", 8888}));
  EXPECT_EQ(parse({"failures", "--url=:9000"})->target.address, (net::Address{"127.0.0.1", 9000}));
  EXPECT_EQ(parse({"top", "--token_file", "/t", "h"})->target, (Target{{"h", 8888}, false, "", "/t"}));
}

TEST(Command, TheAddressMayBeOverTls) {
  const auto command = parse({"status", "https://worker-1:9000", "--ca_file", "/ca.pem"});
  EXPECT_EQ(command->target, (Target{{"worker-1", 9000}, true, "/ca.pem", ""}));
  EXPECT_EQ(to_string(command->target), "https://worker-1:9000");
}

TEST(Command, Options) {
  const auto status = parse({"status", "--json", "h:1"});
  EXPECT_TRUE(status->json);
  EXPECT_EQ(status->target.address, (net::Address{"h", 1}));
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
           {{"jobs", "--follow", "--json"}, "--json"},
           {{"status", "--follow"}, "--follow"},
           {{"failures", "--json", "--follow"}, "--json"},
           {{"status", "--control_socket", "/s"}, "such as driveshaft status 127.0.0.1:8888"},
           {{"jobs", "--control-socket=/s"}, "jobs does not use the control socket"},
           {{"status", "a", "b"}, "\"b\""},
           {{"status", "h:port"}, "h:port"},
           {{"status", "--url", "ftp://h"}, "a daemon is asked over http:// or https://, not over ftp://"},
           {{"status", "--url", "https://h:1/foo?token=x"}, "leave out \"/foo\" and what follows it"},
           {{"status", "h:1/"}, "leave out \"/\""},
           {{"status", "a", "--url", "b"}, "--url and an address"}}) {
    const auto command = parse_command(arguments);
    ASSERT_FALSE(command) << shown;
    EXPECT_THAT(command.error().message, HasSubstr(shown));
  }
}

}  // namespace
}  // namespace driveshaft::cli
