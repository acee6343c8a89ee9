// SPDX-License-Identifier: MIT
#include "cli/starter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "cli/init.h"
#include "cli/jobs_schema.h"
#include "config/parse.h"

namespace driveshaft::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

config::Config parsed(const Surroundings& found) {
  const auto file = config::parse(starter_jobs_file(found));
  if (!file) throw std::runtime_error(fmt::format("{}", fmt::join(file.error().errors, "\n")));
  EXPECT_THAT(file->warnings, IsEmpty());
  EXPECT_THAT(file->notes, IsEmpty());
  return file->config;
}

std::string text_of(const Surroundings& found, const std::string& path = "jobs.json") {
  return fmt::format("{}", fmt::join(starter_text(found, path), "\n"));
}

TEST(Starter, NamesTheServersAndSocketsThatWereFound) {
  const Surroundings found{{{"127.0.0.1", 4731}, {"::1", 4732}},
                           {{"/run/php/php8.2-fpm.sock", true}, {"/run/php/other.sock", true}}};
  const auto config = parsed(found);
  ASSERT_EQ(config.servers.size(), 1U);
  EXPECT_EQ(config.servers[0].address, (net::Address{"127.0.0.1", 4731}));
  ASSERT_EQ(config.pools.size(), 1U);
  EXPECT_EQ(config.pools[0].endpoint.backends[0].uri.socket_path, "/run/php/php8.2-fpm.sock");
  EXPECT_EQ(config.pools[0].endpoint.backends[0].uri.script, "/var/www/html/job.php");
  EXPECT_THAT(text_of(found),
              AllOf(HasSubstr("127.0.0.1:4731, where a gearmand answers; another one does at [::1]:4732"),
                    HasSubstr("php-fpm listens on /run/php/php8.2-fpm.sock: put the path of your script"),
                    Not(HasSubstr("may not connect")), Not(HasSubstr("was found"))));
}

TEST(Starter, IfNothingWasFoundTheFileIsValidAndTheTextSaysWhatToChange) {
  const auto config = parsed({});
  EXPECT_EQ(config.servers[0].address, (net::Address{"127.0.0.1", 4730}));
  EXPECT_EQ(config.pools[0].endpoint.backends[0].uri.display, "http://127.0.0.1/job.php");
  EXPECT_THAT(text_of({}),
              AllOf(HasSubstr("no gearmand was found here: put the address of yours in place of"),
                    HasSubstr("no php-fpm was found (its sockets are looked for in /run/php, /run/php-fpm "
                              "and /var/opt/remi): put the URI of your endpoint in place")));
}

TEST(Starter, ThePathOfASocketIsEncoded) {
  const Surroundings found{{}, {{"/run/a \"b\"%\\/ü.sock", false}}};
  EXPECT_EQ(parsed(found).pools[0].endpoint.backends[0].uri.socket_path, found.php[0].path);
  EXPECT_THAT(text_of(found), HasSubstr("This user may not connect to it"));
}

TEST(Starter, SaysTheNextCommands) {
  EXPECT_THAT(text_of({}, "shop/jobs.json"),
              testing::EndsWith("\n  driveshaft --check=online --jobsconfig shop/jobs.json\n"
                                "  driveshaft --jobsconfig shop/jobs.json --control_socket shop/control.sock "
                                "--exporter_addr 127.0.0.1:8888\n"
                                "\nWhile it runs, in another terminal:\n\n  driveshaft status\n"
                                "  driveshaft pause Example --control_socket shop/control.sock"));
  EXPECT_THAT(text_of({}, "jobs.json"), HasSubstr("--jobsconfig jobs.json --control_socket control.sock "));
  EXPECT_THAT(text_of({}, "my shop's/jobs.json"), HasSubstr("--jobsconfig 'my shop'\\''s/jobs.json'"));
}

base::Result<InitOptions> parse(std::vector<const char*> arguments) { return parse_init(arguments); }

TEST(Init, TakesOneFolder) {
  EXPECT_EQ(parse({"init"})->folder, ".");
  EXPECT_EQ(parse({"init", "shop"})->folder, "shop");
  EXPECT_TRUE(parse({"init", "--help"})->help);
  for (const auto& wrong : {parse({"init", "a", "b"}), parse({"init", "-x"}), parse({"init", ""})}) {
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, HasSubstr("init"));
  }
  EXPECT_THAT(parse({"init", "--hlep"}).error().message, HasSubstr("did you mean --help?"));
}

TEST(Init, HasTheSchemaOfThisVersion) {
  std::ifstream file(SOURCE_DIR "/docs/jobs.schema.json");
  EXPECT_EQ(jobs_schema(), std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace
}  // namespace driveshaft::cli
