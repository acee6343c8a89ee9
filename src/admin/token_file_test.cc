// SPDX-License-Identifier: MIT
#include "admin/token_file.h"

#include <gmock/gmock.h>

#include <functional>

#include "base/exit_codes.h"
#include "base/test_dir.h"

namespace driveshaft::admin {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kToken = "0123456789abcdef";

TEST(Token, IsTheOneLineOfItsFile) {
  EXPECT_EQ(parse_token(kToken)->reveal(), kToken);
  EXPECT_EQ(parse_token("0123456789abcdef\n")->reveal(), kToken);
  EXPECT_EQ(parse_token("0123456789abcdef\r\n\n")->reveal(), kToken);
  EXPECT_EQ(parse_token("~!@#$%^&*()_+:/=?")->reveal(), "~!@#$%^&*()_+:/=?");
}

TEST(Token, AnUnusableTokenIsRefusedAndNotShown) {
  for (const char* content :
       {"", "\n", "0123456789abcde\n", "one two three four", "0123456789abcdef\n0123456789abcdef",
        " 0123456789abcdef", "0123456789abcd\xc3\xa4"}) {
    const auto token = parse_token(content);
    ASSERT_FALSE(token) << content;
    EXPECT_THAT(token.error().message, HasSubstr("expected "));
    EXPECT_THAT(token.error().message, Not(HasSubstr("0123"))) << content;
  }
  EXPECT_THAT(parse_token("").error().message, HasSubstr("at least 16 bytes, and it has none"));
  EXPECT_THAT(parse_token("0123456789").error().message, HasSubstr("it has 10; `openssl rand"));
}

class Files : public testing::Test {
 protected:
  bool run_until(const std::function<bool()>& is_so) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!is_so() && std::chrono::steady_clock::now() < end) loop_.run_one_for(100ms);
    return is_so();
  }

  const base::TestDir dir_;
  text::Secret token_;
  asio::io_context loop_;
  const asio::executor_work_guard<asio::io_context::executor_type> goes_on_ = asio::make_work_guard(loop_);
};

TEST_F(Files, AnUnusableFileRefusesTheStart) {
  for (const auto& path : {dir_.write("short", "secret"), dir_ / "nowhere", std::string("/")}) {
    TokenFile file(loop_, "admin_token_file", path, token_);
    try {
      file.load();
      FAIL() << path;
    } catch (const base::StartupError& error) {
      EXPECT_EQ(error.exit_code(), base::kExitUsage);
      EXPECT_THAT(error.what(), HasSubstr("--admin_token_file " + path + ": "));
      EXPECT_THAT(error.what(), Not(HasSubstr("secret")));
    }
  }
  TokenFile none(loop_, "admin_token_file", "", token_);
  none.load();
  EXPECT_EQ(token_.reveal(), "");
}

TEST_F(Files, AreReadAgainWhenTheyChangeAndABrokenFileChangesNothing) {
  const auto path = dir_.write("token", "0123456789abcdef\n");
  TokenFile file(loop_, "admin_token_file", path, token_);
  file.load();
  EXPECT_EQ(token_.reveal(), kToken);
  file.watch();
  dir_.write("token", "fedcba9876543210-2\n");
  EXPECT_TRUE(run_until([&] { return token_.reveal() == "fedcba9876543210-2"; }));
  dir_.write("token", "x");
  const auto end = std::chrono::steady_clock::now() + 4 * WatchedFiles<int>::kLookEvery;
  run_until([&] { return std::chrono::steady_clock::now() > end; });
  EXPECT_EQ(token_.reveal(), "fedcba9876543210-2");
  dir_.write("token", "0123456789abcdef0123456789abcdef\n");
  EXPECT_TRUE(run_until([&] { return token_.reveal() == "0123456789abcdef0123456789abcdef"; }));
}

}  // namespace
}  // namespace driveshaft::admin
