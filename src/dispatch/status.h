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

// The status of pools. These are values: the loop's thread makes them, and then any thread may have them.
// Texts that came from outside are safe to show. Workloads and passwords are not included.
namespace driveshaft::dispatch {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// A pool lists at most so many running jobs and failures.
inline constexpr std::size_t kListedJobs = 100;
inline constexpr std::size_t kKeptFailures = 100;

struct RunningJob {
  std::string function;
  std::string handle;
  std::string unique;
  net::Address server;
  SteadyTime started;
  SteadyTime ends;  // when it fails for lack of time
  int attempt = 1;
  std::string backend;  // name of the backend that it is at; empty while it is held or waits
  // "running", "held", "waiting" (for its next attempt), or "dead-lettering" (gearmand has not accepted its
  // dead letter yet).
  std::string_view state;
};

struct FailedJob {
  std::string function;
  std::string handle;
  std::string unique;
  net::Address server;
  WallTime at;
  std::chrono::nanoseconds took;
  int attempts = 1;
  std::string_view kind;                     // name_of() its FailureKind
  std::string reason;                        // as in the log
  std::optional<unsigned> http_status;       // status of the endpoint's answer, if one came
  std::optional<std::uint32_t> gearman_ret;  // set if the endpoint answered that the job failed
  std::string answer;                        // first bytes of the answer
};

struct FunctionStatus {
  std::string name;
  int running = 0;
  bool withdrawn = false;   // the jobs file no longer has the function
  int max_concurrency = 0;  // 0: the function has no limit of its own
  metrics::Outcomes outcomes;
};

struct LinkStatus {
  net::Address server;
  bool connected = false;
  SteadyTime since;  // since when it is connected, or not
  std::string why;   // why it is not connected; empty until the first attempt has failed
};

// One backend of an endpoint.
struct BackendStatus {
  enum class State {
    untried,   // nothing was sent there yet, or since an outage of which no job is left
    up,        // the last that was heard of it was an answer
    down,      // it could not be reached, or its application is absent
    paused,    // it asked to wait
    failing,   // far more of its jobs fail than of the other backends'
    draining,  // it was removed from the jobs file, or its address from its name, and it finishes its jobs
  };
  std::uint64_t id = 0;  // no other backend of the pool has had it
  std::string name;      // see config::EndpointConfig::names(); with the address if the name has several
  State state = State::untried;
  SteadyTime since;
  std::string why;  // why it is neither untried nor up
  // When it is tried again; nothing: it is not away, or is being tried now.
  std::optional<SteadyTime> next_try;
  bool suspected = false;  // it is failing after few failures only
  int weight = 1;          // 0: it takes no more jobs
  int running = 0;         // jobs that run there
  int limit = 0;           // jobs that it gets at once
  bool full = false;       // it has shown that it takes no more jobs at once than `limit`
  std::size_t connections = 0;
  std::size_t idle_connections = 0;
  metrics::Tally tally;  // attempts: succeeded ones count as completed, failed ones as failed
};

struct EndpointStatus {
  enum class State {
    untried,  // nothing was sent there yet
    up,       // a backend works
    down,     // no backend can be reached, or their application is absent
    paused,   // all backends asked to wait
  };
  State state = State::untried;
  SteadyTime since;
  std::string why;    // why it is down or paused
  int held = 0;       // jobs that are held for it
  int limit = 0;      // jobs that it gets at once
  bool full = false;  // it has shown that it takes no more jobs at once than `limit`
  std::size_t connections = 0;
  std::size_t idle_connections = 0;
  std::optional<SteadyTime> next_try = {};  // the earliest next_try of its backends
  // In the order of the jobs file; those that drain come last. The pool's own endpoint also lists draining
  // backends of function endpoints that no longer exist.
  std::vector<BackendStatus> backends = {};
};

// An open breaker, and its functions; see breaker.h.
struct BreakerStatus {
  std::vector<std::string> functions;
  SteadyTime since;
  int failed = 0;  // failed attempts of `attempts`, when it opened
  int attempts = 0;
};

struct PoolStatus {
  config::PoolConfig settings;
  bool draining = false;
  int running = 0;
  int without_slots = 0;  // held jobs that take no slot: others may use it, or there are more jobs than slots
  Pauses pauses;          // pauses by operators; settings.paused is that of the jobs file
  metrics::Tally tally;
  EndpointStatus endpoint;
  // The endpoint of functions that have another than the pool's.
  struct FunctionEndpoint {
    std::string uri;  // as it may be shown, without a password
    EndpointStatus endpoint;
    std::vector<std::string> functions;
  };
  std::vector<FunctionEndpoint> function_endpoints;
  std::vector<BreakerStatus> breakers;            // breakers that are open
  std::vector<LinkStatus> links;                  // links that do not retire
  std::shared_ptr<const FailedJob> last_failure;  // null: no job has failed
  int failures_in_a_row = 0;                      // jobs that failed since the last job that did not fail
  // Empty with Detail::figures.
  std::vector<FunctionStatus> functions;
  std::vector<RunningJob> jobs;                            // the oldest first
  std::vector<std::shared_ptr<const FailedJob>> failures;  // the newest first

  int slots() const { return draining ? 0 : settings.worker_count; }
  int busy() const { return running - without_slots; }  // slots that are busy
  bool paused() const { return settings.paused || pauses.pool; }
};

enum class Detail {
  figures,  // Without the lists. Only the monitor may ask for it: each answer starts `tally.longest` anew.
  all,
};

}  // namespace driveshaft::dispatch
