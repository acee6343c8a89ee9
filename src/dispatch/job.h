// SPDX-License-Identifier: MIT
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadlines.h"
#include "dispatch/admission.h"
#include "dispatch/attempt.h"
#include "dispatch/backend_health.h"
#include "dispatch/context.h"
#include "dispatch/failure_hint.h"
#include "dispatch/job_bytes.h"
#include "dispatch/job_failure.h"
#include "dispatch/job_log.h"
#include "dispatch/job_request.h"
#include "dispatch/status.h"
#include "dispatch/stream_relay.h"
#include "dispatch/trace.h"
#include "gearman/link.h"
#include "http/endpoint.h"
#include "http/exchange.h"

namespace driveshaft::dispatch {

class Job;
class Lane;
class Backend;
class PoolEndpoint;

// A function that a pool serves, now or until the last job of it is done.
struct Function {
  std::string name;
  metrics::FunctionMetrics& metrics;
  std::string header_lines;                      // of its requests, see request_headers.h
  std::chrono::milliseconds max_running_time{};  // of the next job
  PoolEndpoint* endpoint = nullptr;              // for its jobs from now on
  Lane* lane = nullptr;                          // null when it is withdrawn
  bool withdrawn = false;                        // no longer in the jobs file
  Admission::FunctionCounters permits = {};
};

// The pool that a job belongs to. Called from within the job.
class JobOwner {
 public:
  virtual const std::string& name() const = 0;
  // The job wants to be sent: answered by Job::post(), now or later, or by Job::pool_drains().
  virtual void attempt_ready(Job& job) = 0;
  // The job is no longer at its backend.
  virtual void attempt_ended(Job& job, BackendHealth::Attempt attempt) = 0;
  // Its result is with the link, to be sent.
  virtual void result_ready() = 0;
  // It did not succeed.
  virtual void job_failed(FailedJob failure) = 0;
  // Its slot is free. The job calls this last.
  virtual void job_done(Job& job) = 0;

 protected:
  ~JobOwner() = default;
};

// One job in its slot: its bytes, its request, its time, and the answer's way back. What becomes of it after
// an attempt is decided in attempt.h, and when it may be sent in admission.h; this class carries that out.
// Made once and used for one job after another, so that its memory is used again. The pool owns it; the
// loop's thread drives it.
class Job final : public http::Exchange,
                  public Admission::Ticket,
                  private base::Deadline,
                  public boost::intrusive::list_base_hook<boost::intrusive::tag<Job>> {
 public:
  Job(Context& context, JobOwner& owner) : context_(context), owner_(owner) { streams_ = true; }

  struct Origin {
    std::shared_ptr<gearman::Link> link;
    std::uint64_t generation;  // of the link's connection
  };

  // Runs `assignment`; its bytes are copied, or with `storage` kept. What is passed by reference outlives the
  // job; settings may change meanwhile.
  void start(const gearman::Assignment& assignment, std::unique_ptr<char[]> storage, Origin origin,
             Function& function, const config::PoolSettings& settings);
  // It has a permit for `backend`: it is sent there.
  void post(Backend& backend);

  // The end of a shutdown's window: it is failed or requeued, as the settings say. Called again, it ends now.
  void abort(std::string_view why);
  // An operator ends it: it fails, or with `requeue` it goes to another worker. Not while
  // is_dead_lettering().
  void cancel(std::string_view why, bool requeue);
  // It is held, and its pool takes no more jobs: it ends without an answer, for another worker.
  void pool_drains();
  // Ends it: its connection to gearmand is gone, so gearmand gives it to another worker anyway.
  void drop();

  Function& function() { return *function_; }
  // Whether it has failed for good.
  bool has_failed() const { return failure_counted_; }
  const JobFields& fields() const { return bytes_.fields(); }
  Clock::time_point started_at() const { return started_at_; }
  // It has failed, and gearmand is taking its dead letter.
  bool is_dead_lettering() const { return dead_letter_ != nullptr; }
  // For its next attempt.
  bool is_waiting() const { return state() == State::taken && !dead_letter_; }
  // Whether anybody waits for its result: its connection to gearmand is still there.
  gearman::Link& link() const { return *origin_.link; }
  bool result_wanted() const { return origin_.link->holds(origin_.generation); }
  // The link that its answer streams to is no longer congested.
  void on_writable(const gearman::Link& link);
  RunningJob status() const;

 private:
  using Timer = base::MemberDeadline<Job>;

  void finished(base::Result<http::Response, http::Failure> result) override;
  base::Result<bool, http::Failure> on_chunk(std::string_view bytes) override;
  void on_stderr(std::string_view lines) override;
  void on_deadline() override;
  void attempt_timer_is_over();

  base::Result<Answer, NotAnAnswer> decode(const http::Response& response);
  StreamRelay& stream();
  JobHistory history() const;
  void end_attempt(BackendNews news, AttemptScore score, Clock::time_point now,
                   const JobFailure* failure = nullptr);
  void requeue();
  void answered(const Answer& answer);
  void completed(const Answer& answer);
  void attempt_failed(const JobFailure& failure);
  void cut_off(BackendNews news = BackendNews::none, AttemptScore score = AttemptScore::none);
  bool prepare_request();
  void count_repeat(const char* reason);
  void note_absence();
  void leave_endpoint();
  void wait_for_retry(const AttemptDecision& decision, const JobFailure& failure);
  void fail(const JobFailure& failure);
  void fail_at_once(const JobFailure& failure);
  void count_failure(const JobFailure& failure, std::string_view reason);
  FailedJob described(const JobFailure& failure, std::string_view reason, Clock::duration took) const;
  const std::string& place() const;
  // What people are told of it.
  std::string explained(const JobFailure& failure) const;
  FailureFacts facts_of(const JobFailure& failure) const;
  void give_failure(std::string_view text, std::string_view reason);
  void send_dead_letter(gearman::JobResult result, std::string_view text, std::string_view reason);
  void dead_letter_answered(gearman::Submitted what, std::string_view why);
  void out_of_memory();
  void conclude(gearman::JobResult result, std::string_view data);
  void end();
  LoggedJob logged() const { return {fields(), trace_, owner_.name(), context_.log_workload_size}; }

  Context& context_;
  JobOwner& owner_;

  // Of the job that runs.
  Origin origin_;
  Function* function_ = nullptr;
  const config::PoolSettings* settings_ = nullptr;
  JobBytes bytes_;
  JobRequest request_bytes_;
  std::string stderr_line_;  // the first one of the attempt's script, printable
  Trace trace_;
  Clock::time_point started_at_;
  Clock::time_point ends_at_;     // then its time is over
  bool failure_counted_ = false;  // in the metrics

  // Of the present attempt, or the last.
  Backend* backend_ = nullptr;  // null while it is held or waits
  bool at_endpoint_ = false;    // the backend has the exchange, until finished() or cancel()
  Clock::time_point posted_at_;
  int attempt_ = 1;
  int held_attempts_ = 0;  // those after which it was held
  int absences_ = 0;       // see JobHistory
  int empty_answers_ = 0;  // see JobHistory
  std::optional<Clock::time_point> absent_at_;
  bool may_have_run_ = false;            // a request of this job may have reached an endpoint
  std::unique_ptr<StreamRelay> stream_;  // once its answer streams
  Timer attempt_timer_{*this, &Job::attempt_timer_is_over};

  // While gearmand has yet to take its dead letter.
  struct PendingLetter {
    std::uint64_t submission;
    gearman::JobResult result;
    std::string text;
    std::string letter;
  };
  std::unique_ptr<PendingLetter> dead_letter_;
};

using JobList = boost::intrusive::list<
    Job, boost::intrusive::base_hook<boost::intrusive::list_base_hook<boost::intrusive::tag<Job>>>>;

}  // namespace driveshaft::dispatch
