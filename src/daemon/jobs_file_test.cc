// SPDX-License-Identifier: MIT
#include "daemon/jobs_file.h"

#include <gtest/gtest.h>

#include "base/test_dir.h"

namespace driveshaft::daemon {
namespace {

using namespace std::chrono_literals;

std::string jobs_file_with(const std::string& pool) {
  return R"({"gearman_servers_list": ["localhost"], "pools_list": {")" + pool +
         R"(": {"job_processing_uri": "http://localhost/", "worker_count": 1, "jobs_list": ["Sum"]}}})";
}

struct JobsFileTest : ::testing::Test {
  const base::TestDir dir;
  const std::string path = dir.write("jobs.json", jobs_file_with("First"));
  asio::io_context loop;
  JobsFile file{loop, path};
  int changes = 0;
  int reloads = 0;

  void watch() {
    file.load();
    file.watch([this](const config::Config&) { ++changes; }, [this](const Reload&) { ++reloads; });
  }
  void replace(const std::string& pool) const {
    std::filesystem::rename(dir.write("new", jobs_file_with(pool)), path);
  }
};

TEST_F(JobsFileTest, AChangeIsAppliedOnceItHasSettled) {
  watch();
  replace("Second");
  while (changes == 0 && loop.run_one_for(10s) > 0) {
  }
  EXPECT_EQ(changes, 1);
  EXPECT_EQ(reloads, 1);
}

TEST_F(JobsFileTest, IfTheTimerHasExpiredBeforeStopNothingIsApplied) {
  watch();
  replace("Second");
  // The timer expires while the loop stands still, so that its handler is queued behind this one.
  asio::post(loop, [this] { file.stop(); });
  asio::steady_timer later(asio::system_executor(), 600ms);
  later.wait();
  loop.run_for(3s);
  EXPECT_TRUE(loop.stopped()) << "the timer was set again";
  EXPECT_EQ(changes, 0);
  EXPECT_EQ(reloads, 0);
}

TEST_F(JobsFileTest, AReloadThatIsAskedForSaysWhetherAnythingHasChanged) {
  watch();
  const auto reloaded = [&] {
    std::optional<Reload> done;
    file.reload([&](const Reload& reload) { done = reload; });
    while (!done && loop.run_one_for(10s) > 0) {
    }
    return describe(done.value());
  };
  EXPECT_EQ(reloaded(),
            "the jobs file was read, and is in force; no setting has changed since it was last read");
  replace("Second");
  EXPECT_EQ(reloaded(), "the jobs file was read, and is in force");
  EXPECT_EQ(changes, 1);
}

TEST(Reload, IsDescribedWithItsErrorsAndWarnings) {
  EXPECT_EQ(describe(Reload{}), "the jobs file was read, and is in force");
  EXPECT_EQ(describe(Reload{{}, {"a"}}), "the jobs file was read, and is in force; warning: a");
  EXPECT_EQ(describe(Reload{{}, {"a", "b", "c"}}),
            "the jobs file was read, and is in force; warning: a (and 2 more warnings)");
  EXPECT_EQ(describe(Reload{{"x", "y"}, {"a"}}),
            "the jobs file is rejected, the one in force stays: x (and 1 more error); warning: a");
}

}  // namespace
}  // namespace driveshaft::daemon
