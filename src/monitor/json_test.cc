// SPDX-License-Identifier: MIT
#include "monitor/json.h"

#include <gmock/gmock.h>

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(Json, TheTimeOfAQuickJobIsNotRoundedToNothing) {
  dispatch::PoolStatus pool;
  pool.settings.name = "Regular";
  dispatch::FailedJob failed;
  failed.took = 412us;
  pool.failures.push_back(std::make_shared<const dispatch::FailedJob>(failed));
  dispatch::RunningJob job;
  job.started = SteadyTime(100s - 31us);
  job.ends = SteadyTime(160s);
  pool.jobs.push_back(job);
  const About about;
  Snapshot snapshot;
  snapshot.at = SteadyTime(100s);
  snapshot.pools.push_back(pool);
  const std::map<std::string, History> histories;
  const std::map<std::string, BackendHistories> backends;
  const std::map<std::string, QueueReport> queues;
  const View view{about, snapshot, 0s, histories, backends, queues};
  EXPECT_THAT(failures_json(view), HasSubstr(R"("took":0.000412,)"));
  EXPECT_THAT(jobs_json(view), HasSubstr(R"("age":3.1e-05,)"));
}

}  // namespace
}  // namespace driveshaft::monitor
