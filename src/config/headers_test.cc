// SPDX-License-Identifier: MIT
#include "config/headers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_dir.h"
#include "config/diff.h"
#include "config/load.h"
#include "text/base64.h"

namespace driveshaft::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const text::Secret kKey(std::string(32, 'k'));
const std::string kSecret = "whsec_" + text::base64(kKey.reveal());

std::string file_with(const std::string& settings, const std::string& uri = "http://h/j") {
  return R"({"gearman_servers_list": ["h"], "pools_list": {"P": {"job_processing_uri": ")" + uri +
         R"(", "worker_count": 1, "jobs_list": ["f"])" + (settings.empty() ? "" : ", " + settings) + "}}}";
}

PoolSettings settings_of(const std::string& settings, const ReadFile& read_file = {}) {
  const auto parsed = parse(file_with(settings), read_file);
  EXPECT_TRUE(parsed) << parsed.error().errors.front();
  return parsed ? parsed->config.pools[0].settings : PoolSettings{};
}

std::string error_of(const std::string& settings, const ReadFile& read_file = {}) {
  const auto parsed = parse(file_with(settings), read_file);
  if (parsed) return "no error";
  EXPECT_EQ(parsed.error().errors.size(), 1u);
  return parsed.error().errors.front();
}

TEST(HeaderName, IsAToken) {
  for (const char* name :
       {"X-Shop", "x", "Authorization", "X_1", "!#$%&'*+-.^_`|~", "Hosts", "Cookie", "webhook"}) {
    EXPECT_TRUE(check_header_name(name)) << name;
  }
  for (const std::string name :
       {"", "X Shop", "X:", "X\r\nY", "é", "X\t", "(x)", "x/y", "x\x7f", "x\"", "@"}) {
    EXPECT_FALSE(check_header_name(name)) << name;
  }
  EXPECT_TRUE(check_header_name(std::string(100, 'n')));
  EXPECT_FALSE(check_header_name(std::string(101, 'n')));
}

TEST(HeaderName, IsNoneOfOursInAnyCase) {
  for (const char* name : {"Host",
                           "hOST",
                           "Content-Length",
                           "content-type",
                           "Transfer-Encoding",
                           "Connection",
                           "Keep-Alive",
                           "TE",
                           "Trailer",
                           "Upgrade",
                           "Expect",
                           "Proxy-Connection",
                           "Accept-Encoding",
                           "Content-Encoding",
                           "User-Agent",
                           "Accept",
                           "traceparent",
                           "Driveshaft-Attempt",
                           "driveshaft-",
                           "Webhook-Signature",
                           "webhook-id"}) {
    const auto good = check_header_name(name);
    ASSERT_FALSE(good) << name;
    EXPECT_THAT(good.error().message, HasSubstr("leave it out")) << name;
  }
}

TEST(HeaderValue, IsOneLineOfAscii) {
  for (const std::string value : {"de", "a b", "a\tb", "\"\\", "~"}) {
    EXPECT_TRUE(check_header_value(value)) << value;
  }
  EXPECT_TRUE(check_header_value(std::string(8192, 'v')));
  for (const std::string value : {"", " a", "a ", "\ta", "a\t", "a\rb", "a\nb", "a\x01", "ü", "a\x7f"}) {
    EXPECT_FALSE(check_header_value(value)) << value;
  }
  EXPECT_FALSE(check_header_value(std::string("a\0b", 3)));
  EXPECT_FALSE(check_header_value(std::string(8193, 'v')));
}

TEST(HeaderValue, OfAFileMayEndWithALineBreak) {
  EXPECT_EQ(header_value_of_file("Bearer x\n")->reveal(), "Bearer x");
  EXPECT_EQ(header_value_of_file("Bearer x\r\n")->reveal(), "Bearer x");
  EXPECT_FALSE(header_value_of_file("Bearer x\nBearer y\n"));
  EXPECT_FALSE(header_value_of_file("\n"));
}

TEST(SigningKeys, OneOrTwo) {
  const std::string other = "whsec_" + text::base64(std::string(24, '\0'));
  EXPECT_THAT(*signing_keys_of_file(kSecret), ElementsAre(kKey));
  EXPECT_THAT(*signing_keys_of_file(kSecret + "\r\n\n" + other + " \n"),
              ElementsAre(kKey, text::Secret(std::string(24, '\0'))));
}

TEST(SigningKeys, ErrorsNameTheLineAndNotTheSecret) {
  const std::string short_one = "whsec_" + text::base64(std::string(23, 'k'));
  const std::string long_one = "whsec_" + text::base64(std::string(65, 'k'));
  const std::string other = "whsec_" + text::base64(std::string(32, 'o'));
  const std::string third = "whsec_" + text::base64(std::string(32, 't'));
  const auto why = [](const std::string& content) { return signing_keys_of_file(content).error().message; };
  EXPECT_THAT(why(""), HasSubstr("no secret"));
  EXPECT_THAT(why(kSecret + "\nhunter2hunter2\n"), HasSubstr("line 2 is not a secret"));
  EXPECT_THAT(why(kSecret + "\nhunter2hunter2\n"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(why(kSecret.substr(6)), HasSubstr("line 1"));
  EXPECT_THAT(why("whsec_###"), HasSubstr("line 1"));
  EXPECT_THAT(why(short_one), HasSubstr("23 bytes"));
  EXPECT_THAT(why(long_one), HasSubstr("65 bytes"));
  EXPECT_THAT(why(kSecret + "\n" + kSecret), HasSubstr("line 2 repeats"));
  EXPECT_THAT(why(kSecret + "\n" + other + "\n" + third), HasSubstr("3 secrets"));
}

TEST(HeadersKey, KeepsTheFilesOrder) {
  const auto settings = settings_of(R"("headers": {"X-B": "2", "X-A": {"file": "/a"}})");
  EXPECT_THAT(settings.headers, ElementsAre(Header{"X-B", "", text::Secret("2")}, Header{"X-A", "/a", {}}));
}

TEST(HeadersKey, APoolsOwnAreMergedIntoThoseOfTheTopLevelByName) {
  const auto parsed =
      parse(R"({"gearman_servers_list": ["h"], "headers": {"X-A": "1", "X-B": "2"}, "pools_list": {
    "P": {"job_processing_uri": "h", "worker_count": 1, "jobs_list": ["f"]},
    "Q": {"job_processing_uri": "h", "worker_count": 1, "jobs_list": ["f"], "headers":
      {"x-b": {"file": "/b"}, "X-C": "3", "X-A": null, "X-D": null}}}})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->config.pools[0].settings.headers.size(), 2u);
  EXPECT_THAT(parsed->config.pools[1].settings.headers,
              ElementsAre(Header{"x-b", "/b", {}}, Header{"X-C", "", text::Secret("3")}));
}

TEST(HeadersKey, ErrorsNameTheHeaderAndShowNoValue) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("headers": "Authorization: hunter2")", "pools_list.P.headers: expected an object"},
      {R"("headers": ["hunter2"])", "pools_list.P.headers: expected an object"},
      {R"("headers": {"Authorization: Bearer hunter2": ""})",
       "pools_list.P.headers: the value does not stand in the name: \"Authorization: …\" is written "
       "\"Authorization\""},
      {R"("headers": {"Host": "hunter2"})", "pools_list.P.headers.Host: Driveshaft itself"},
      {R"("headers": {"X-A": "hunter2\r\nX-B: 1"})",
       "pools_list.P.headers.X-A: byte 8 of the value is a line break"},
      {R"("headers": {"X-A": 5})",
       "pools_list.P.headers.X-A: expected text, null or {\"file\": \"/path\"}, got a number"},
      {R"("headers": {"X-A": ["hunter2"]})", "got an array"},
      {R"("headers": {"X-A": {}})", "got an object without \"file\""},
      {R"("headers": {"X-A": {"file": "hunter2"}})",
       "pools_list.P.headers.X-A.file: expected the absolute path"},
      {R"("headers": {"X-A": "hunter2", "x-a": "hunter2"})",
       "pools_list.P.headers.x-a: the header stands twice"},
      {R"("headers": {"X-A": "hunter2", "X-A": "hunter2"})", "the name stands twice"},
      {R"("headers": {"X A": "hunter2"})", "pools_list.P.headers.\"X A\": a header's name has"},
      {R"("signing_secret_file": "whsec_hunter2")",
       "pools_list.P.signing_secret_file: expected the absolute path"},
      {R"("signing_secret_file": 1)", "got a number"},
      {R"("trace_sampling": 1.1)", "pools_list.P.trace_sampling: expected a number from 0 to 1, got 1.1"},
  };
  for (const auto& [settings, expected] : cases) {
    const std::string error = error_of(settings);
    EXPECT_THAT(error, HasSubstr(expected));
    EXPECT_THAT(error, Not(HasSubstr("hunter2")));
  }
}

TEST(HeadersKey, AtMostFifty) {
  std::string members;
  for (int i = 0; i < 51; ++i) members += fmt::format("{}\"X-{}\": \"v\"", i ? ", " : "", i);
  EXPECT_THAT(error_of("\"headers\": {" + members + "}"), HasSubstr("at most 50 headers, got 51"));
}

TEST(HeadersKey, AuthorizationDoesNotComeTwice) {
  const std::string uri = "http://u:hunter2@h/j";
  const auto own = parse(file_with(R"("headers": {"authorization": "Bearer x"})", uri));
  ASSERT_FALSE(own);
  EXPECT_THAT(own.error().errors, ElementsAre(HasSubstr("pools_list.P.job_processing_uri: it has a user")));
  std::string text = file_with("", uri);
  text.insert(1, R"("headers": {"Authorization": "Bearer x"}, )");
  ASSERT_FALSE(parse(text));
  EXPECT_THAT(parse(text).error().errors,
              ElementsAre(HasSubstr("pools_list.P.job_processing_uri: it has a user")));
  EXPECT_TRUE(parse(file_with(R"("headers": {"X-A": "1"})", uri)));
}

TEST(HeadersKey, WarnsOfUnderscores) {
  const auto parsed = parse(file_with(R"("headers": {"X_A": "1"})"));
  ASSERT_TRUE(parsed);
  EXPECT_THAT(parsed->warnings, ElementsAre(HasSubstr("pools_list.P.headers.X_A: nginx drops")));
}

TEST(SecretFiles, AreReadOnceWithTheJobsFile) {
  std::vector<std::string> read;
  const auto settings =
      settings_of(R"("headers": {"X-A": {"file": "/a"}}, "signing_secret_file": "/s")",
                  [&](const std::string& path) -> base::Result<std::string> {
                    read.push_back(path);
                    return {boost::system::in_place_value, path == "/a" ? "va\n" : kSecret + "\n"};
                  });
  EXPECT_THAT(settings.headers, ElementsAre(Header{"X-A", "/a", text::Secret("va")}));
  EXPECT_THAT(settings.signing.keys, ElementsAre(kKey));
  EXPECT_THAT(read, ElementsAre("/a", "/s"));
}

TEST(SecretFiles, ErrorsAreThoseOfTheirKeys) {
  const base::TestDir dir;
  const std::string missing = dir / "missing";
  const std::string broken = dir.write("broken", "hunter2\n");
  const auto loaded =
      load(dir.write("jobs.json", file_with("\"headers\": {\"X-A\": {\"file\": \"" + missing +
                                            "\"}, \"X-B\": {\"file\": \"" + (dir / "") +
                                            "\"}},\n\"signing_secret_file\": \"" + broken + "\"")));
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().errors,
              ElementsAre("pools_list.P.headers.X-A.file: file " + missing +
                              ": it cannot be read: No such file or directory (line 1)",
                          HasSubstr("it cannot be read: it is not a regular file (line 1)"),
                          AllOf(HasSubstr("pools_list.P.signing_secret_file: file " + broken + ": line 1"),
                                HasSubstr("(line 2)"), Not(HasSubstr("hunter2")))));
  EXPECT_THAT(loaded.error().files, testing::UnorderedElementsAre(missing, dir / "", broken));
}

TEST(SecretFiles, AreListedForTheWatchOfFiles) {
  const base::TestDir dir;
  const std::string path = dir.write("secret", kSecret);
  const auto loaded = load(dir.write("jobs.json", file_with("\"signing_secret_file\": \"" + path + "\"")));
  ASSERT_TRUE(loaded);
  EXPECT_THAT(loaded->files, ElementsAre(path));
  EXPECT_THAT(load(dir.write("jobs.json", file_with("")))->files, IsEmpty());
}

TEST(Diff, ShowsNoSecrets) {
  const auto lines = [](const PoolSettings& before, const PoolSettings& after) {
    const auto config = [](const PoolSettings& settings) {
      return Config{{}, {PoolConfig{"P", *net::parse_uri("h"), 1, {"f"}, settings}}, 1024};
    };
    return compare(config(before), config(after));
  };
  PoolSettings before;
  before.headers = {{"X-A", "", text::Secret("old")}, {"X-B", "/b", text::Secret("old")}};
  before.signing = {"/s", {kKey}};
  PoolSettings after = before;
  EXPECT_THAT(lines(before, after), IsEmpty());
  after.headers[0].value = text::Secret("new");
  after.headers[1].value = text::Secret("new");
  after.signing.keys = {kKey, kKey};
  EXPECT_THAT(lines(before, after), ElementsAre("pool P: headers: another value of X-A",
                                                "pool P: headers: another value of X-B, from its file",
                                                "pool P: signing_secret_file /s: other secrets, 2 now"));
  EXPECT_THAT(lines({}, before), ElementsAre(R"(pool P: headers {} -> {"X-A": "***", "X-B": {"file": "/b"}})",
                                             R"(pool P: signing_secret_file "" -> "/s")"));
  after.signing = {};
  after.headers.pop_back();
  EXPECT_THAT(
      lines(before, after),
      ElementsAre(R"(pool P: headers {"X-A": "***", "X-B": {"file": "/b"}} -> {"X-A": "***"})",
                  "pool P: headers: another value of X-A", R"(pool P: signing_secret_file "/s" -> "")"));
}

}  // namespace
}  // namespace driveshaft::config
