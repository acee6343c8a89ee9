// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "dispatch/pause.h"
#include "metrics/tally.h"
#include "net/address.h"

// What pools tell of themselves: values, copied on the loop's thread and then anybody's. Texts that came from
// outside are safe to show; workloads and passwords are not among them.
namespace driveshaft::dispatch {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// Of running jobs and failures, a pool lists no more than this.
inline constexpr std::size_t kListedJobs = 100;
inline constexpr std::size_t kKeptFailures = 100;

struct RunningJob {
  std::string function;
  std::string handle;
  std::string unique;
  net::Address server;
  SteadyTime started;
  SteadyTime ends;  // then it fails
  int attempt = 1;
  std::string backend;     // where it is, as people are told; empty while it is held or waits
  std::string_view state;  // "running", "held", "waiting" for its next attempt, "dead-lettering": gearmand is
                           // taking its dead letter
};

struct FailedJob {
  std::string function;
  std::string handle;
  std::string unique;
  net::Address server;
  WallTime at;
  std::chrono::nanoseconds took;
  int attempts = 1;
  std::string_view kind;                     // see name_of(FailureKind)
  std::string reason;                        // as in the log
  std::optional<unsigned> http_status;       // of the endpoint's answer, if one came
  std::optional<std::uint32_t> gearman_ret;  // if it said that the job failed
  std::string answer;                        // its first bytes
};

struct FunctionStatus {
  std::string name;
  int running = 0;
  bool withdrawn = false;   // no longer in the jobs file
  int max_concurrency = 0;  // 0: it has none of its own
  metrics::Outcomes outcomes;
};

struct LinkStatus {
  net::Address server;
  bool connected = false;
  SteadyTime since;  // connected or not
  std::string why;   // it is not connected; empty before the first attempt has failed
};

// One backend of an endpoint.
struct BackendStatus {
  enum class State {
    untried,   // nothing was sent there yet
    up,        // the last thing heard of it was an answer
    down,      // it could not be reached, or its application is absent
    paused,    // it asked to wait
    failing,   // far more of its jobs fail than of the others'
    draining,  // it is removed from the jobs file, or its address from the name, and finishes its jobs
  };
  std::uint64_t id = 0;  // no other backend of the pool has had it
  std::string name;      // see config::EndpointConfig::names(), and its address if the name has several
  State state = State::untried;
  SteadyTime since;
  std::string why;                     // it is neither untried nor up
  std::optional<SteadyTime> next_try;  // when it is tried again; nothing: it is not away, or is tried now
  bool suspected = false;              // failing, after few failures
  int weight = 1;                      // 0: it takes no more jobs, as one that drains
  int running = 0;                     // jobs that are there
  int limit = 0;                       // jobs it is given at once
  bool full = false;                   // the limit is what it has shown to take
  std::size_t connections = 0;
  std::size_t idle_connections = 0;
  metrics::Tally tally;  // of its attempts: completed ones succeeded, failed ones did not
};

struct EndpointStatus {
  enum class State {
    untried,  // nothing was sent there yet
    up,       // a backend works
    down,     // none can be reached, or their application is absent
    paused,   // all asked to wait
  };
  State state = State::untried;
  SteadyTime since;
  std::string why;    // it is down or paused
  int held = 0;       // jobs that wait for it in their slots
  int limit = 0;      // jobs it is given at once
  bool full = false;  // the limit is what it has shown to take
  std::size_t connections = 0;
  std::size_t idle_connections = 0;
  std::optional<SteadyTime> next_try = {};  // when the first of its backends is tried again, as there
  // In the order of the jobs file; then those that drain. The pool's own has those of functions' endpoints
  // that are gone, too.
  std::vector<BackendStatus> backends = {};
};

// Functions whose jobs fail; see breaker.h.
struct BreakerStatus {
  std::vector<std::string> functions;
  SteadyTime since;
  int failed = 0;  // of so many attempts, before it opened
  int attempts = 0;
};

struct PoolStatus {
  config::PoolConfig settings;
  bool draining = false;
  int running = 0;
  int reusable = 0;  // of these, held jobs whose slots others may use
  Pauses pauses;     // by operators; settings.paused is that of the jobs file
  metrics::Tally tally;
  EndpointStatus endpoint;
  // Of functions that have another than the pool's.
  struct FunctionEndpoint {
    std::string uri;  // as it may be shown
    EndpointStatus endpoint;
    std::vector<std::string> functions;
  };
  std::vector<FunctionEndpoint> function_endpoints;
  std::vector<BreakerStatus> breakers;            // that are open
  std::vector<LinkStatus> links;                  // retiring ones left out
  std::shared_ptr<const FailedJob> last_failure;  // null: no job has failed
  int failures_in_a_row = 0;                      // jobs that failed since the last one that did not
  // Only if asked for.
  std::vector<FunctionStatus> functions;
  std::vector<RunningJob> jobs;                            // the oldest first
  std::vector<std::shared_ptr<const FailedJob>> failures;  // the newest first

  int slots() const { return draining ? 0 : settings.worker_count; }
  int busy() const { return running - reusable; }  // slots
  bool paused() const { return settings.paused || pauses.pool; }
};

enum class Detail {
  figures,  // no lists. The monitor alone asks for them: with each answer `tally.longest` begins anew
  all,
};

}  // namespace driveshaft::dispatch
