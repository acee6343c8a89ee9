// SPDX-License-Identifier: MIT
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "metrics/process.h"

namespace driveshaft::metrics {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

// In seconds. The buckets include 0.01, 0.1, 1, 10, 100 and 1000, by which dashboards of the original
// Driveshaft may select.
inline const Histogram::BucketBoundaries kDurationBuckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                          0.25,  0.5,    1,     2.5,  5,     10,   30,
                                                          60,    100,    300,   600,  1000,  3600};

// In seconds. A connection within a machine takes less than a millisecond.
inline const Histogram::BucketBoundaries kPhaseBuckets{
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60};

// In seconds.
inline const Histogram::BucketBoundaries kLagBuckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                     0.1,    0.25,  0.5,    1,     2.5,  5,     10};

// All metrics: the name, type and help of each. metrics.cc adds the labels.
struct Families {
  prometheus::Registry registry;

  Family<Histogram>& job_duration =
      prometheus::BuildHistogram()
          .Name("driveshaft_job_duration")
          .Help("Duration of successful jobs in seconds, from the job's arrival to its result.")
          .Register(registry);
  Family<Histogram>& failed_job_duration =
      prometheus::BuildHistogram()
          .Name("driveshaft_failed_job_duration_seconds")
          .Help("Duration of failed jobs in seconds, from the job's arrival to its failure.")
          .Register(registry);
  Family<Counter>& http_errors =
      prometheus::BuildCounter()
          .Name("driveshaft_http_errors")
          .Help("Jobs that failed because the endpoint answered with an HTTP status that is not 2xx.")
          .Register(registry);
  Family<Counter>& timeouts = prometheus::BuildCounter()
                                  .Name("driveshaft_timeouts")
                                  .Help("Jobs that failed because they ran out of time.")
                                  .Register(registry);
  Family<Counter>& errors =
      prometheus::BuildCounter()
          .Name("driveshaft_errors")
          .Help(
              "Jobs that failed and were not refused by the endpoint: those in driveshaft_http_errors and "
              "driveshaft_timeouts, and others.")
          .Register(registry);
  Family<Gauge>& threads = prometheus::BuildGauge()
                               .Name("driveshaft_threads")
                               .Help("Slots of a pool that are idle, and that are busy with a function.")
                               .Register(registry);
  Family<Gauge>& connections =
      prometheus::BuildGauge()
          .Name("driveshaft_gearmand_connections")
          .Help("Connections of a pool to gearmand servers that are up; a pool without slots has none.")
          .Register(registry);
  Family<Counter>& jobs =
      prometheus::BuildCounter()
          .Name("driveshaft_jobs_total")
          .Help(
              "Jobs that ended, by outcome: complete, refused (the endpoint answered that the job failed), "
              "failed (any other failure, as in driveshaft_errors), requeued (gearmand gives it to another "
              "worker).")
          .Register(registry);
  Family<Counter>& retries =
      prometheus::BuildCounter()
          .Name("driveshaft_retries_total")
          .Help("Attempts that failed and after which the job was tried again, by the reason of the failure.")
          .Register(registry);
  Family<Counter>& dead_letters =
      prometheus::BuildCounter()
          .Name("driveshaft_dead_letters_total")
          .Help("Failed jobs submitted to the dead letter function: accepted by gearmand, or not (lost).")
          .Register(registry);
  Family<Gauge>& endpoint_up =
      prometheus::BuildGauge()
          .Name("driveshaft_endpoint_up")
          .Help("1 if each endpoint of the pool could be reached when it was last tried, otherwise 0.")
          .Register(registry);
  Family<Gauge>& endpoints =
      prometheus::BuildGauge()
          .Name("driveshaft_endpoints")
          .Help(
              "Endpoints of the pool and of its functions by state: up (or not tried yet), paused (it asked "
              "to wait), absent (its application is not there), down (it cannot be reached).")
          .Register(registry);
  Family<Gauge>& breakers_open =
      prometheus::BuildGauge()
          .Name("driveshaft_breakers_open")
          .Help("Breakers that are open: too many jobs failed, so one is sent after growing pauses.")
          .Register(registry);
  Family<Gauge>& pool_paused = prometheus::BuildGauge()
                                   .Name("driveshaft_pool_paused")
                                   .Help(
                                       "1 while the pool takes no jobs because an operator or the jobs file "
                                       "says so, otherwise 0.")
                                   .Register(registry);
  Family<Gauge>& function_paused =
      prometheus::BuildGauge()
          .Name("driveshaft_function_paused")
          .Help("1 while the pool takes no jobs of the function because an operator says so, otherwise 0.")
          .Register(registry);
  Family<Gauge>& limit = prometheus::BuildGauge()
                             .Name("driveshaft_concurrency_limit")
                             .Help(
                                 "Jobs that the pool's own endpoint is given at once: worker_count, or less "
                                 "in an adaptive pool.")
                             .Register(registry);
  Family<Gauge>& jobs_held = prometheus::BuildGauge()
                                 .Name("driveshaft_jobs_held")
                                 .Help("Jobs that are held in their slots until an endpoint works again.")
                                 .Register(registry);
  Family<Counter>& results_dropped =
      prometheus::BuildCounter()
          .Name("driveshaft_results_dropped_total")
          .Help("Results dropped because the connection the job came from was lost; gearmand runs it again.")
          .Register(registry);
  Family<Counter>& results_refused = prometheus::BuildCounter()
                                         .Name("driveshaft_results_refused_total")
                                         .Help("Results for jobs that gearmand did not know.")
                                         .Register(registry);
  Family<Counter>& config_reloads = prometheus::BuildCounter()
                                        .Name("driveshaft_config_reloads_total")
                                        .Help("Changed jobs files that were put in force or rejected.")
                                        .Register(registry);
  Family<Gauge>& last_reload_successful =
      prometheus::BuildGauge()
          .Name("driveshaft_config_last_reload_successful")
          .Help(
              "1 if the jobs file was good when it was last read; 0: it was rejected, the one before holds.")
          .Register(registry);
  Family<Gauge>& last_reload_success =
      prometheus::BuildGauge()
          .Name("driveshaft_config_last_reload_success_timestamp_seconds")
          .Help("When a good jobs file was last read, in seconds since 1970.")
          .Register(registry);

  Family<Histogram>& http_phases = prometheus::BuildHistogram()
                                       .Name("driveshaft_http_phase_duration_seconds")
                                       .Help(
                                           "Seconds of a request to the endpoint: connect (name, TCP and "
                                           "TLS, of new connections), first_byte "
                                           "(from the request to the first byte of the answer).")
                                       .Register(registry);
  Family<Gauge>& slots = prometheus::BuildGauge()
                             .Name("driveshaft_slots")
                             .Help("Jobs that a pool may run at once; 0 while it drains.")
                             .Register(registry);
  Family<Gauge>& endpoint_connections =
      prometheus::BuildGauge()
          .Name("driveshaft_endpoint_connections")
          .Help("Connections of a pool to its endpoints that are busy (or being opened) and idle.")
          .Register(registry);
  Family<Gauge>& backend_up =
      prometheus::BuildGauge()
          .Name("driveshaft_backend_up")
          .Help("1 while the backend of an endpoint of the pool is given jobs and works, otherwise 0.")
          .Register(registry);
  Family<Gauge>& backend_weight =
      prometheus::BuildGauge()
          .Name("driveshaft_backend_weight")
          .Help("The weight of the backend in the jobs file; 0: it is given no jobs.")
          .Register(registry);
  Family<Gauge>& backend_jobs = prometheus::BuildGauge()
                                    .Name("driveshaft_backend_jobs")
                                    .Help("Jobs that run at the backend.")
                                    .Register(registry);
  Family<Gauge>& backend_connections =
      prometheus::BuildGauge()
          .Name("driveshaft_backend_connections")
          .Help("Connections to the backend, idle ones and those that are being opened included.")
          .Register(registry);
  Family<Counter>& backend_attempts =
      prometheus::BuildCounter()
          .Name("driveshaft_backend_attempts_total")
          .Help("Attempts at jobs that ended at the backend, by outcome: succeeded or failed.")
          .Register(registry);
  Family<Gauge>& build_info = prometheus::BuildGauge()
                                  .Name("driveshaft_build_info")
                                  .Help("1, with the version of the program.")
                                  .Register(registry);
  Process process{registry};
  Family<Gauge>& queue_jobs =
      prometheus::BuildGauge()
          .Name("driveshaft_queue_jobs")
          .Help("Jobs of a function at a gearmand, for all workers: queued (waiting) and running.")
          .Register(registry);
  Family<Gauge>& queue_workers =
      prometheus::BuildGauge()
          .Name("driveshaft_queue_workers")
          .Help("Connections of all workers to a gearmand that take jobs of a function.")
          .Register(registry);
  Family<Gauge>& queue_waiting = prometheus::BuildGauge()
                                     .Name("driveshaft_queue_waiting_seconds")
                                     .Help(
                                         "Seconds since the queue of a function was last seen empty: no job "
                                         "in it has waited longer. 0 while it is empty.")
                                     .Register(registry);
  Family<Gauge>& gearmand_up =
      prometheus::BuildGauge()
          .Name("driveshaft_gearmand_up")
          .Help("1 while a pool is connected to the gearmand, otherwise 0. No series: no pool needs it.")
          .Register(registry);
  Family<Gauge>& queue_up = prometheus::BuildGauge()
                                .Name("driveshaft_queue_up")
                                .Help("1 while the queue of a gearmand can be read, otherwise 0.")
                                .Register(registry);

  Counter& reloads_accepted = config_reloads.Add({{"result", "ok"}});
  Counter& reloads_rejected = config_reloads.Add({{"result", "rejected"}});
  Gauge& reload_successful = last_reload_successful.Add({});
  Gauge& reload_success_time = last_reload_success.Add({});
  Counter& log_lines_lost = prometheus::BuildCounter()
                                .Name("driveshaft_log_lines_lost_total")
                                .Help("Log lines that could not be written.")
                                .Register(registry)
                                .Add({});
  Histogram& loop_lag = prometheus::BuildHistogram()
                            .Name("driveshaft_loop_lag_seconds")
                            .Help("How late a timer of the event loop was called, measured once a second.")
                            .Register(registry)
                            .Add({}, kLagBuckets);
  Family<Counter>& control_actions =
      prometheus::BuildCounter()
          .Name("driveshaft_control_actions_total")
          .Help("Actions that operators asked for, by their outcome: done or refused.")
          .Register(registry);
  Family<Gauge>& certificate_ends =
      prometheus::BuildGauge()
          .Name("driveshaft_certificate_end_timestamp_seconds")
          .Help(
              "When a certificate that this program shows to servers or clients ends, in seconds since 1970.")
          .Register(registry);
};

}  // namespace driveshaft::metrics
