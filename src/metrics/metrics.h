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

// The metrics of the daemon. Only the .cc files of this folder and families.h include prometheus-cpp.
//
// One thread, the loop's, makes, changes and destroys these objects, unless a class says otherwise. Any
// thread may call Registry::text() at any time.
namespace driveshaft::metrics {

struct Families;

// Series that all functions of a pool share.
struct PoolSeries {
  Tally tally;
  prometheus::Histogram& connecting;
  prometheus::Histogram& first_byte;
};

// Counts the jobs of one function of one pool. PoolMetrics::function() makes it, and it lives until
// PoolMetrics::forget(). Each series is looked up by its labels once, at the latest when it is first used.
//
// For each job started() is called, then at most one of the outcomes, then ended().
class FunctionMetrics {
 public:
  // All of them outlive this object, which also counts in `pool_series`.
  FunctionMetrics(Families& families, const std::string& pool, const std::string& function,
                  PoolSeries& pool_series);
  ~FunctionMetrics();
  FunctionMetrics(const FunctionMetrics&) = delete;
  FunctionMetrics& operator=(const FunctionMetrics&) = delete;

  void started();
  void ended();
  // The connection to gearmand was lost before the result was sent; gearmand runs the job again.
  void result_dropped();
  // The job will be tried again; every reason is a series, so there must be few.
  void retried(std::string_view reason);
  void dead_lettered(bool accepted);  // gearmand has accepted the dead letter of a job, or has not
  // The pool has a dead letter function. Both series of dead_lettered() are made now, so that they begin at
  // 0.
  void expect_dead_letters();
  // Whether an operator has paused the function. The series is made with the first pause.
  void set_paused(bool paused);

  // The outcomes.
  void completed(std::chrono::nanoseconds duration);
  void refused();               // the endpoint answered that the job failed; not counted in driveshaft_errors
  void failed();                // any other failure
  void timed_out();             // calls failed() too
  void http_error(int status);  // calls failed() too; see http_status_label()
  // Is called besides each of these four: how long the job took.
  void failed_after(std::chrono::nanoseconds duration);
  void requeued();  // the job got no answer, so that gearmand gives it to another worker

  // How long it took to connect to the endpoint, and how long from the request to the first byte of the
  // answer.
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

// The state of an endpoint; see dispatch/backend_health.h.
enum class EndpointState { up, paused, absent, down };
inline constexpr std::size_t kEndpointStates = 4;

// The metrics of one pool. Its series are made, at 0, with this object and with its functions, and are
// removed with it.
class PoolMetrics {
 public:
  PoolMetrics(std::shared_ptr<Families> families, std::string pool);
  ~PoolMetrics();
  PoolMetrics(const PoolMetrics&) = delete;
  PoolMetrics& operator=(const PoolMetrics&) = delete;

  // The number of slots that run no job.
  void set_idle(int slots);

  // The metrics of the function of that name: the same object each time. Call it once, when the function is
  // configured; the result is valid until forget().
  FunctionMetrics& function(const std::string& name);
  // The function is no longer configured and runs no job. Its metrics and their series are destroyed.
  void forget(const std::string& name);

  // A connection to a gearmand was made (+1) or lost (-1).
  void connections_changed(int change);

  // An endpoint of the pool or of one of its functions has changed its state. `from` is nothing for a new
  // endpoint; `to` is nothing for an endpoint that is gone, or that no function has any more.
  void endpoint_changed(std::optional<EndpointState> from, std::optional<EndpointState> to);
  // A breaker of the pool's functions has opened (+1) or closed (-1).
  void breakers_open_changed(int change);
  // How many jobs the pool's own endpoint may get at once.
  void set_limit(int jobs);
  // Whether the pool takes no jobs because an operator or the jobs file says so.
  void set_paused(bool paused);
  // How many jobs are held in their slots until an endpoint works again.
  void set_held(int jobs);

  // gearmand did not know the job of a result that was sent to it.
  void result_refused();

  // What has become of the jobs of all functions, including functions that are forgotten.
  const Tally& tally() const { return series_.tally; }
  // As tally(). After the call, `longest` is that of later jobs only.
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
  int endpoints_down_ = 0;                                       // endpoints that are down or absent
  PoolSeries series_;
  std::map<std::string, FunctionMetrics, std::less<>> functions_;
};

// The metrics of one gearmand: whether it is connected, and its queues. One thread, which need not be the
// loop's, makes, calls and destroys the object. Its series are removed with it.
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
    std::chrono::nanoseconds waited;  // how long jobs have been waiting; 0: none waits
  };
  // Sets the series of these functions, and removes those of all others.
  void set_functions(const std::vector<Function>& functions);
  // Whether the queues of the gearmand could be read.
  void set_queue_known(bool known);
  // Whether a pool is connected to the gearmand. Nothing: no pool needs a connection to it.
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
  prometheus::Gauge& up_;  // whether the queues could be read
  prometheus::Gauge* connected_ = nullptr;
  std::map<std::string, Series, std::less<>> series_;
};

// The metrics of a pool that are set from its snapshots. One thread, which need not be the loop's, makes,
// calls and destroys the object. Its series are removed with it.
class PoolGauges {
 public:
  PoolGauges(std::shared_ptr<Families> families, const std::string& pool);
  ~PoolGauges();
  PoolGauges(const PoolGauges&) = delete;
  PoolGauges& operator=(const PoolGauges&) = delete;

  struct Values {
    int slots;
    std::size_t connections;  // to the endpoints, idle ones included
    std::size_t idle_connections;
  };
  void set(const Values& values);

  // A backend of the pool's endpoints.
  struct Backend {
    bool up = false;  // it gets jobs, and works
    int weight = 0;
    int jobs = 0;  // jobs that run there
    std::size_t connections = 0;
    std::uint64_t succeeded = 0;  // attempts since the last call
    std::uint64_t failed = 0;     // likewise
  };
  // Sets the series of these backends, by name, and removes those of all others.
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
  // `version` becomes the label of driveshaft_build_info; empty: there is no such series.
  explicit Registry(const std::string& version = {});
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The metrics of the pool of that name: the same object as long as anybody holds it. So a pool that is
  // removed, and comes back while its old jobs still finish, goes on counting.
  std::shared_ptr<PoolMetrics> pool(const std::string& name);

  // Make the metrics of the server of that address, and the gauges of the pool of that name. Make one object
  // for each name at a time.
  std::shared_ptr<ServerMetrics> server(const std::string& address) const;
  std::shared_ptr<PoolGauges> gauges(const std::string& pool) const;

  // The jobs file was put in force at the start.
  void config_loaded();
  // The jobs file was read again. It was put in force, or was broken and rejected.
  void config_reloaded(bool accepted);

  // A timer of the event loop was called so much later than its time. Called about once a second.
  void loop_was_late(std::chrono::nanoseconds late);

  // Makes the series of an action that operators can ask for, so that they begin at 0.
  void add_control_action(std::string_view action);
  // An operator has asked for an action. It was done, or refused.
  void control_action(std::string_view action, bool done);

  // Metrics of the whole process. The thread that calls text() sets them before.
  void set_log_lines_lost(std::uint64_t lines);
  using CertificateEnds = std::map<std::string, std::chrono::system_clock::time_point>;  // by the file's path
  void set_certificates(const CertificateEnds& ends);

  // All metrics in the Prometheus text format, version 0.0.4. Any thread.
  std::string text() const;

 private:
  const std::shared_ptr<Families> families_;
  std::map<std::string, std::weak_ptr<PoolMetrics>> pools_;
  std::map<std::string, prometheus::Gauge*> certificate_ends_;  // by the file's path
};

}  // namespace driveshaft::metrics
