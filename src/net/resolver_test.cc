// SPDX-License-Identifier: MIT
#include "net/resolver.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <string_view>

namespace {

// Names under "stuck.test" get no answer until this is set. Neither is ever destroyed: a detached thread
// waits for them, perhaps until the end of the process.
auto& release_stuck = *new std::promise<void>;
const auto& stuck_released = *new std::shared_future<void>(release_stuck.get_future().share());
std::atomic<int> calls_for_twice{0};

}  // namespace

// In this program every look-up goes through here.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
  const std::string_view name = node ? node : "";
  if (name == "stuck.test") {
    stuck_released.wait();
    return EAI_AGAIN;
  }
  if (name == "twice.test") ++calls_for_twice;
  if (name.ends_with(".test")) return EAI_NONAME;
  static const auto real =
      reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));  // NOLINT
  return real(node, service, hints, found);
}

namespace driveshaft::net {
namespace {

using namespace std::chrono_literals;

struct ResolverTest : ::testing::Test {
  asio::io_context loop;
  std::optional<Resolver> resolver{loop};

  // Runs the loop until `done`, for at most ten seconds.
  template <class Done>
  bool run_until(Done done) {
    const auto guard = asio::make_work_guard(loop);
    loop.restart();
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!done() && loop.run_one_until(end)) {
    }
    return done();
  }
};

TEST_F(ResolverTest, FindsTheAddressesOfAName) {
  std::optional<Resolver::Answer> answer;
  resolver->look_up("127.0.0.1", [&](const auto& found) { answer = found; });
  EXPECT_FALSE(answer) << "called from within";
  ASSERT_TRUE(run_until([&] { return answer.has_value(); }));
  ASSERT_TRUE(*answer) << answer->error().message;
  EXPECT_THAT(**answer,
              ::testing::ElementsAre(asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)));
}

TEST_F(ResolverTest, SaysWhyThereIsNone) {
  std::optional<Resolver::Answer> answer;
  resolver->look_up("nowhere.test", [&](const auto& found) { answer = found; });
  ASSERT_TRUE(run_until([&] { return answer.has_value(); }));
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().message, "Name or service not known");
}

TEST_F(ResolverTest, SharesOneLookUpBetweenThoseWhoAskMeanwhile) {
  int answers = 0;
  for (int i = 0; i < 3; ++i) resolver->look_up("twice.test", [&](const auto&) { ++answers; });
  ASSERT_TRUE(run_until([&] { return answers == 3; }));
  EXPECT_EQ(calls_for_twice, 1);
  resolver->look_up("twice.test", [&](const auto&) { ++answers; });
  ASSERT_TRUE(run_until([&] { return answers == 4; }));
  EXPECT_EQ(calls_for_twice, 2) << "asked later, it is looked up anew";
}

TEST_F(ResolverTest, ANameWithoutAnswerDelaysNeitherOthersNorTheEnd) {
  bool called = false;
  bool answered = false;
  resolver->look_up("stuck.test", [&](const auto&) { called = true; });
  resolver->look_up("127.0.0.1", [&](const auto&) { answered = true; });
  EXPECT_TRUE(run_until([&] { return answered; }));
  resolver.reset();
  release_stuck.set_value();
  loop.poll();
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace driveshaft::net
