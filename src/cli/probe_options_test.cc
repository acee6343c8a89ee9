// SPDX-License-Identifier: MIT
#include "cli/probe_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_dir.h"
#include "cli/test_manuals.h"
#include "text/base64.h"

namespace driveshaft::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

base::Result<ProbeOptions> parsed(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "probe");
  return parse_probe(arguments);
}

std::string error_of(std::vector<const char*> arguments) {
  const auto options = parsed(std::move(arguments));
  return options ? "no error" : options.error().message;
}

TEST(ProbeOptions, IsProbeLooksAtTheFirstArgument) {
  const char* const arguments[] = {"probe", "h"};
  EXPECT_TRUE(is_probe(arguments));
  EXPECT_FALSE(is_probe(std::span(arguments).subspan(1)));
  EXPECT_FALSE(is_probe({}));
}

TEST(ProbeOptions, Defaults) {
  const auto options = parsed({"http://u:p@h:81/j"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->uri, *net::parse_uri("http://u:p@h:81/j"));
  EXPECT_EQ(options->function, "driveshaft_probe");
  EXPECT_EQ(options->format, config::RequestFormat::json);
  EXPECT_EQ(options->timeout, std::chrono::seconds(10));
  EXPECT_TRUE(options->keys.empty() && options->headers.empty() && !options->help);
}

TEST(ProbeOptions, All) {
  const base::TestDir dir;
  const std::string key(32, 'k');
  const std::string secret = "--secret-file=" + dir.write("secret", "whsec_" + text::base64(key) + "\n");
  const std::string header = "X-Token: @" + dir.write("token", "t\n");
  const std::string workload = "@" + dir.write("workload", std::string("a\0b", 3));
  const auto options =
      parsed({"--function", "Sum", "--workload", workload.c_str(), "--format=multipart", secret.c_str(),
              "http+unix://%2Fs/x", "--header", header.c_str(), "--header=X-Shop:de", "--timeout=500ms"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->function, "Sum");
  EXPECT_EQ(options->workload, std::string("a\0b", 3));
  EXPECT_EQ(options->format, config::RequestFormat::multipart);
  EXPECT_THAT(options->keys, ElementsAre(text::Secret(key)));
  EXPECT_EQ(options->timeout, std::chrono::milliseconds(500));
  ASSERT_EQ(options->headers.size(), 2u);
  EXPECT_EQ(options->headers[0].value.reveal(), "t");
  EXPECT_EQ(options->headers[1].value.reveal(), "de");
  EXPECT_EQ(parsed({"h", "--workload="})->workload, "");
  EXPECT_TRUE(parsed({"--help"})->help);
}

TEST(ProbeOptions, ANameMayHaveUnderscoresOrDashes) {
  EXPECT_EQ(parsed({"fcgi://h/a.php", "--document_root", "/srv"})->document_root, "/srv");
  EXPECT_EQ(error_of({"https://h/", "--server_name=other", "--server-name=x"}),
            "--server-name is given twice");
}

TEST(ProbeOptions, ADocumentRootEndsWithoutASlash) {
  EXPECT_EQ(parsed({"fcgi://h/srv/a.php", "--document-root", "/srv//"})->document_root, "/srv");
}

TEST(ProbeOptions, Errors) {
  const base::TestDir dir;
  const std::string broken = dir.write("broken", "hunter2\nhunter2");
  const std::string header = "X-A: @" + broken;
  const std::pair<std::vector<const char*>, const char*> cases[] = {
      {{}, "the URI of the endpoint is missing"},
      {{"h", "h"}, "one URI at a time"},
      {{"ftp://u:hunter2@h"}, "the scheme \"ftp\" is not served"},
      {{"h", "--fromat", "json"}, "unknown option --fromat of probe; did you mean --format?"},
      {{"h", "-x"}, "unknown option"},
      {{"h", "-"}, "unknown option"},
      {{"h", "-="}, "unknown option"},
      {{"h", "--format"}, "--format: its format is missing"},
      {{"h", "--format", "xml"}, "--format: expected one of json, multipart, urlencoded, got \"xml\""},
      {{"h", "--format=json", "--format=json"}, "--format is given twice"},
      {{"h", "--function="}, "--function: expected the name"},
      {{"h", "--workload", "@/nowhere/at/all"}, "No such file"},
      {{"h", "--timeout", "0"}, "--timeout: expected a time from 0.001 to 3600 s, got \"0\""},
      {{"h", "--timeout", "1x"}, "got \"1x\""},
      {{"h", "--timeout", "nan"}, "got \"nan\""},
      {{"h", "--secret-file", broken.c_str()}, "line 1 is not a secret"},
      {{"h", "--header", "hunter2"}, "got no colon"},
      {{"h", "--header", "Host: hunter2"}, "Host: Driveshaft itself"},
      {{"h", "--header", "X-A:"}, "the value is empty"},
      {{"h", "--header", header.c_str()}, "byte 8 of the value is a line break"},
      {{"h", "--header", "X-A: hunter2", "--header", "x-a: hunter2"}, "x-a is given twice"},
      {{"http://h", "--ca-file", broken.c_str()}, "for https:// alone"},
      {{"https://h", "--key-file", broken.c_str()}, "its --certificate-file is missing"},
      {{"https://h", "--certificate-file", broken.c_str()}, "its --key-file is missing"},
      {{"https://h", "--ca-file", broken.c_str()}, "ca_file"},
      {{"https://h", "--server-name", "a b"}, "--server-name: ' ' cannot stand in a host name"},
      {{"http://h", "--document-root", "/srv"}, "for fcgi:// and fcgi+unix:// alone"},
      {{"fcgi://h/a.php", "--document-root", "srv"}, "expected an absolute path"},
      {{"http://u:hunter2@h", "--header", "Authorization: hunter2"}, "the URI has a user"},
  };
  for (const auto& [arguments, expected] : cases) {
    EXPECT_THAT(error_of(arguments), HasSubstr(expected));
    EXPECT_THAT(error_of(arguments), Not(HasSubstr("hunter2")));
  }
}

TEST(ProbeOptions, AreListedInTheManuals) {
  EXPECT_EQ(listed("/docs/command-line.md", "## Probe", "| `--", '`'), probe_option_names());
  std::vector<std::string> man;
  for (auto name : probe_option_names()) man.push_back(name.replace(name.find(' '), 1, " Ar "));
  EXPECT_EQ(listed("/docs/driveshaft.1", ".Sh PROBE", ".It Fl Fl ", '\n'), man);
}

}  // namespace
}  // namespace driveshaft::cli
