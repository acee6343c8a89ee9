// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

// The counters of the daemon, by name; metrics.cc is the only file that includes prometheus-cpp.
//
// One thread (the loop's) makes, counts and destroys; another may call Registry::text() at any time.
namespace driveshaft::metrics {

struct Families;

// One function of one pool. Made by PoolMetrics::function() and alive until PoolMetrics::forget().
// Nothing here looks a label up, except the first http_error() of a status.
//
// A job calls started(), one of the outcomes, and ended().
class FunctionMetrics {
 public:
  FunctionMetrics(Families& families, const std::string& pool, const std::string& function);
  ~FunctionMetrics();
  FunctionMetrics(const FunctionMetrics&) = delete;
  FunctionMetrics& operator=(const FunctionMetrics&) = delete;

  void started();
  void ended();
  void result_dropped();                  // gearmand was gone when the result came; it runs the job again
  void retried(std::string_view reason);  // it will be tried again; few different reasons
  void dead_lettered(bool accepted);      // a dead letter of it was taken by gearmand, or was not

  // Outcomes.
  void completed(std::chrono::nanoseconds duration);
  void refused();               // the endpoint answered that the job failed: no error of the machinery
  void failed();                // anything else that went wrong
  void timed_out();             // counts as failed too
  void http_error(int status);  // counts as failed too; a status that is not 100–999 is counted as "other"
  void requeued();              // left unanswered, so that gearmand gives it to another worker

 private:
  prometheus::Counter& http_errors(int status);

  Families& families_;
  const std::string pool_;
  const std::string function_;
  prometheus::Histogram& durations_;
  prometheus::Counter& errors_;
  prometheus::Counter& timeouts_;
  prometheus::Gauge& busy_;
  prometheus::Counter& completed_;
  prometheus::Counter& refused_;
  prometheus::Counter& failed_;
  prometheus::Counter& requeued_;
  prometheus::Counter& dropped_;
  std::map<bool, prometheus::Counter*> dead_letters_;
  std::map<std::string, prometheus::Counter*, std::less<>> retries_;
  std::map<int, prometheus::Counter*> http_errors_;
};

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

  // The endpoint can be reached, so far as is known.
  void set_endpoint_up(bool up);
  // So many jobs it may be given at once.
  void set_limit(int jobs);
  // More or fewer jobs wait in their slots for the endpoint.
  void held_changed(int change);

  // gearmand did not know a job whose result it was sent.
  void result_refused();

 private:
  const std::shared_ptr<Families> families_;
  const std::string pool_;
  prometheus::Gauge& idle_;
  prometheus::Gauge& connections_;
  prometheus::Gauge& endpoint_up_;
  prometheus::Gauge& limit_;
  prometheus::Gauge& held_;
  prometheus::Counter& results_refused_;
  std::map<std::string, FunctionMetrics, std::less<>> functions_;
};

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The same object for the same name while anyone holds it: a pool that is removed and comes back while its
  // old jobs still finish goes on counting where it was.
  std::shared_ptr<PoolMetrics> pool(const std::string& name);

  // The jobs file was put in force at the start.
  void config_loaded();
  // It was read again and put in force, or was found broken and is not.
  void config_reloaded(bool accepted);

  // Everything in the Prometheus text format, version 0.0.4. Any thread.
  std::string text() const;

 private:
  const std::shared_ptr<Families> families_;
  std::map<std::string, std::weak_ptr<PoolMetrics>> pools_;
};

}  // namespace driveshaft::metrics
