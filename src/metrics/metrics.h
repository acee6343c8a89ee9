// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/tally.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

// The counters of the daemon, by name. Its .cc files and families.h alone include prometheus-cpp.
//
// One thread (the loop's) makes, counts and destroys; another may call Registry::text() at any time.
namespace driveshaft::metrics {

struct Families;

// What the functions of a pool have in common.
struct PoolSeries {
  Tally tally;
  prometheus::Histogram& connecting;
  prometheus::Histogram& first_byte;
};

// One function of one pool. Made by PoolMetrics::function() and alive until PoolMetrics::forget().
// Nothing here looks a label up, except the first http_error() of a status.
//
// A job calls started(), one of the outcomes, and ended().
class FunctionMetrics {
 public:
  // `pool_series` are the pool's, which this function adds to.
  FunctionMetrics(Families& families, const std::string& pool, const std::string& function,
                  PoolSeries& pool_series);
  ~FunctionMetrics();
  FunctionMetrics(const FunctionMetrics&) = delete;
  FunctionMetrics& operator=(const FunctionMetrics&) = delete;

  void started();
  void ended();
  void result_dropped();                  // gearmand was gone when the result came; it runs the job again
  void retried(std::string_view reason);  // it will be tried again; few different reasons
  void dead_lettered(bool accepted);      // a dead letter of it was taken by gearmand, or was not
  // Its pool has a dead letter function: both series of dead_lettered() begin at 0, not with the first
  // letter.
  void expect_dead_letters();
  // Whether an operator has paused it. Its series begins with the first pause.
  void set_paused(bool paused);

  // Outcomes.
  void completed(std::chrono::nanoseconds duration);
  void refused();               // the endpoint answered that the job failed: no error of the machinery
  void failed();                // anything else that went wrong
  void timed_out();             // counts as failed too
  void http_error(int status);  // counts as failed too; see http_status_label()
  // With each of these four: how long the job took.
  void failed_after(std::chrono::nanoseconds duration);
  void requeued();  // left unanswered, so that gearmand gives it to another worker

  // How long the endpoint took to be connected to, and from the request to the first byte of its answer.
  void connected(std::chrono::nanoseconds took);
  void answer_began(std::chrono::nanoseconds took);

  const Outcomes& outcomes() const { return outcomes_; }

 private:
  prometheus::Counter& http_errors(int status);
  prometheus::Counter& dead_letters(bool accepted);

  Families& families_;
  const std::string pool_;
  const std::string function_;
  PoolSeries& pool_series_;
  Outcomes outcomes_;
  prometheus::Histogram& durations_;
  prometheus::Histogram& failed_durations_;
  prometheus::Counter& errors_;
  prometheus::Counter& timeouts_;
  prometheus::Gauge& busy_;
  prometheus::Counter& completed_;
  prometheus::Counter& refused_;
  prometheus::Counter& failed_;
  prometheus::Counter& requeued_;
  prometheus::Counter& dropped_;
  prometheus::Gauge* paused_ = nullptr;
  std::map<bool, prometheus::Counter*> dead_letters_;
  std::map<std::string, prometheus::Counter*, std::less<>> retries_;
  std::map<std::string, prometheus::Counter*> http_errors_;  // by http_status_label()
};

// How an endpoint fares; see dispatch/backend_health.h.
enum class EndpointState { up, paused, absent, down };
inline constexpr std::size_t kEndpointStates = 4;

// One pool. Its series exist, at 0, from the moment it and its functions are made here, and go with it.
class PoolMetrics {
 public:
  PoolMetrics(std::shared_ptr<Families> families, std::string pool);
  ~PoolMetrics();
  PoolMetrics(const PoolMetrics&) = delete;
  PoolMetrics& operator=(const PoolMetrics&) = delete;

  // Slots that run no job.
  void set_idle(int slots);

  // The same object for the same name. Resolve it once, when the function is configured.
  FunctionMetrics& function(const std::string& name);
  // The function is no longer configured and runs no job: its series go.
  void forget(const std::string& name);

  // A connection to a gearmand is up (+1), or no longer (-1).
  void connections_changed(int change);

  // An endpoint of it, or of a function of it, has another state. Nothing: before it is made, and once it is
  // gone or no function has it any more.
  void endpoint_changed(std::optional<EndpointState> from, std::optional<EndpointState> to);
  // One more breaker of its functions is open (+1), or no longer (-1).
  void breakers_open_changed(int change);
  // So many jobs its endpoint may be given at once.
  void set_limit(int jobs);
  // Whether it takes no jobs because an operator or the jobs file says so.
  void set_paused(bool paused);
  // So many jobs wait in their slots for the endpoint.
  void set_held(int jobs);

  // gearmand did not know a job whose result it was sent.
  void result_refused();

  // Of all its functions, those it has forgotten among them.
  const Tally& tally() const { return series_.tally; }
  // The same; from now on its `longest` is that of the jobs to come.
  Tally take_tally();

 private:
  const std::shared_ptr<Families> families_;
  const std::string pool_;
  prometheus::Gauge& idle_;
  prometheus::Gauge& connections_;
  prometheus::Gauge& endpoint_up_;
  prometheus::Gauge& paused_;
  prometheus::Gauge& breakers_open_;
  prometheus::Gauge& limit_;
  prometheus::Gauge& held_;
  prometheus::Counter& results_refused_;
  std::array<prometheus::Gauge*, kEndpointStates> endpoints_{};  // by state
  int endpoints_down_ = 0;                                       // or absent
  PoolSeries series_;
  std::map<std::string, FunctionMetrics, std::less<>> functions_;
};

// One gearmand: whether it is connected, and what it has queued. Made, called and destroyed by one thread,
// which need not be the loop's. Its series go with it, and those of functions while nothing is known of them.
class ServerMetrics {
 public:
  ServerMetrics(std::shared_ptr<Families> families, std::string server);
  ~ServerMetrics();
  ServerMetrics(const ServerMetrics&) = delete;
  ServerMetrics& operator=(const ServerMetrics&) = delete;

  struct Function {
    std::string name;
    std::uint64_t queued;
    std::uint64_t running;
    std::uint64_t workers;
    std::chrono::nanoseconds waited;  // since when there are jobs that wait; 0: there are none
  };
  // Those whose series there are from now on.
  void set_functions(const std::vector<Function>& functions);
  // Whether its queue could be read.
  void set_queue_known(bool known);
  // Whether a pool is connected to it. Nothing: no pool wants to be.
  void set_connected(std::optional<bool> connected);

 private:
  struct Series {
    prometheus::Gauge& queued;
    prometheus::Gauge& running;
    prometheus::Gauge& workers;
    prometheus::Gauge& waited;
  };
  void remove(const Series& series);

  const std::shared_ptr<Families> families_;
  const std::string server_;
  prometheus::Gauge& up_;  // the queue
  prometheus::Gauge* connected_ = nullptr;
  std::map<std::string, Series, std::less<>> series_;
};

// Gauges of a pool that follow its snapshots. Made, called and destroyed by one thread, which need not be the
// loop's; its series go with it.
class PoolGauges {
 public:
  PoolGauges(std::shared_ptr<Families> families, const std::string& pool);
  ~PoolGauges();
  PoolGauges(const PoolGauges&) = delete;
  PoolGauges& operator=(const PoolGauges&) = delete;

  struct Values {
    int slots;
    std::size_t connections;  // to the endpoints
    std::size_t idle_connections;
  };
  void set(const Values& values);

  // A backend of its endpoints.
  struct Backend {
    bool up = false;  // it is given jobs, and works
    int weight = 0;
    int jobs = 0;  // that are there
    std::size_t connections = 0;
    std::uint64_t succeeded = 0;  // attempts since the last call
    std::uint64_t failed = 0;     // likewise
  };
  // By name: those whose series there are from now on.
  void set_backends(const std::map<std::string, Backend>& backends);

 private:
  struct BackendSeries {
    prometheus::Gauge& up;
    prometheus::Gauge& weight;
    prometheus::Gauge& jobs;
    prometheus::Gauge& connections;
    prometheus::Counter& succeeded;
    prometheus::Counter& failed;
  };
  BackendSeries make_series(const std::string& backend);
  void remove(const BackendSeries& series);

  const std::shared_ptr<Families> families_;
  const std::string pool_;
  prometheus::Gauge& slots_;
  prometheus::Gauge& busy_connections_;
  prometheus::Gauge& idle_connections_;
  std::map<std::string, BackendSeries> backends_;
};

class Registry {
 public:
  // `version` is what driveshaft_build_info says.
  explicit Registry(const std::string& version = {});
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The same object for the same name while anyone holds it: a pool that is removed and comes back while its
  // old jobs still finish goes on counting where it was.
  std::shared_ptr<PoolMetrics> pool(const std::string& name);

  // Of the server of that address, and of the pool of that name.
  std::shared_ptr<ServerMetrics> server(const std::string& address) const;
  std::shared_ptr<PoolGauges> gauges(const std::string& pool) const;

  // The jobs file was put in force at the start.
  void config_loaded();
  // It was read again and put in force, or was found broken and is not.
  void config_reloaded(bool accepted);

  // A timer of the event loop was called so much later than it was set for. Called once a second or so.
  void loop_was_late(std::chrono::nanoseconds late);

  // Operators may ask for an action of that name: its series begin at 0.
  void add_control_action(std::string_view action);
  // One has asked for it, and it was done, or was not.
  void control_action(std::string_view action, bool done);

  // Of the whole process; to be set before text(), by the thread that calls it.
  void set_log_lines_lost(std::uint64_t lines);
  using CertificateEnds = std::map<std::string, std::chrono::system_clock::time_point>;  // by file
  void set_certificates(const CertificateEnds& ends);

  // Everything in the Prometheus text format, version 0.0.4. Any thread.
  std::string text() const;

 private:
  const std::shared_ptr<Families> families_;
  std::map<std::string, std::weak_ptr<PoolMetrics>> pools_;
  std::map<std::string, prometheus::Gauge*> certificate_ends_;  // by file
};

}  // namespace driveshaft::metrics
