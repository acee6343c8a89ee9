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

// A function that a pool serves, or that is withdrawn and still has jobs.
struct Function {
  std::string name;
  metrics::FunctionMetrics& metrics;
  std::string header_lines;                      // header lines of its requests, see request_headers.h
  std::chrono::milliseconds max_running_time{};  // of the next job
  PoolEndpoint* endpoint = nullptr;              // the endpoint of its jobs from now on
  Lane* lane = nullptr;                          // null when the function is withdrawn or paused
  bool withdrawn = false;                        // the jobs file no longer has the function
  Admission::FunctionCounters permits = {};
};

// The pool that a job belongs to. The job calls these functions.
class JobOwner {
 public:
  virtual const std::string& name() const = 0;
  // The job is ready to be sent. The pool calls Job::post(), now or later, or Job::pool_drains().
  virtual void attempt_ready(Job& job) = 0;
  // An attempt at the job has ended, so it is no longer at its backend.
  virtual void attempt_ended(Job& job, BackendHealth::Attempt attempt) = 0;
  // The job's result was given to its link, which has not sent it yet.
  virtual void result_ready() = 0;
  // The job has failed for good.
  virtual void job_failed(FailedJob failure) = 0;
  // The job's slot is free. The job calls this last, and may be used for another job from then on.
  virtual void job_done(Job& job) = 0;

 protected:
  ~JobOwner() = default;
};

// One job in its slot. It has the job's bytes, its request and its deadline, and sends the answer to
// gearmand. attempt.h decides what becomes of the job after an attempt, and admission.h when it may be sent;
// this class carries that out. The object is used for one job after another, so that its memory is used
// again. The pool owns it, and the loop's thread drives it.
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

  // Runs the job of `assignment`. Its bytes are copied, or with `storage` kept there. The function and the
  // settings outlive the job; settings may change while it runs.
  void start(const gearman::Assignment& assignment, std::unique_ptr<char[]> storage, Origin origin,
             Function& function, const config::PoolSettings& settings);
  // The job has a permit for `backend` and is sent there.
  void post(Backend& backend);

  // The window of a shutdown is over: the job fails or is requeued, as on_shutdown says. A job whose dead
  // letter gearmand has not accepted yet waits one more second for that.
  void abort(std::string_view why);
  // An operator ends the job: it fails, or with `requeue` it is given to another worker. Do not call it while
  // is_dead_lettering().
  void cancel(std::string_view why, bool requeue);
  // The job is held, and its pool takes no more jobs. It ends without an answer, so that gearmand gives it to
  // another worker; it fails if its server does not do that.
  void pool_drains();
  // Ends the job, because its connection to gearmand is lost. gearmand gives it to another worker.
  void drop();

  Function& function() { return *function_; }
  // Whether the job has failed for good.
  bool has_failed() const { return failure_counted_; }
  const JobFields& fields() const { return bytes_.fields(); }
  Clock::time_point started_at() const { return started_at_; }
  // The job has failed, and gearmand has not accepted its dead letter yet.
  bool is_dead_lettering() const { return dead_letter_ != nullptr; }
  // Whether the job waits for its next attempt.
  bool is_waiting() const { return state() == State::taken && !dead_letter_; }
  // result_wanted() is false if the connection that the job came over is lost: then nobody waits for its
  // result.
  gearman::Link& link() const { return *origin_.link; }
  bool result_wanted() const { return origin_.link->holds(origin_.generation); }
  // A link is no longer congested. If the job's answer streams to it, the job reads on.
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
  void attempt_failed(JobFailure failure);
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
  // The reason of the failure as people are shown it.
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

  // Of the present job.
  Origin origin_;
  Function* function_ = nullptr;
  const config::PoolSettings* settings_ = nullptr;
  JobBytes bytes_;
  JobRequest request_bytes_;
  std::string stderr_line_;  // the first line that the attempt's script wrote, printable
  Trace trace_;
  Clock::time_point started_at_;
  Clock::time_point ends_at_;     // when its time is over
  bool failure_counted_ = false;  // whether the metrics have counted the job as failed

  // Of the present attempt, or of the last one.
  Backend* backend_ = nullptr;  // null while the job is held or waits
  bool at_endpoint_ = false;    // the backend's connections use this exchange, until finished() or cancel()
  Clock::time_point posted_at_;
  int attempt_ = 1;
  int held_attempts_ = 0;      // attempts after which it was held or sent again
  int absences_ = 0;           // see JobHistory::absences
  int stale_connections_ = 0;  // see JobHistory::stale_connections
  int empty_answers_ = 0;      // see JobHistory::empty_answers
  std::optional<Clock::time_point> absent_at_;
  bool may_have_run_ = false;            // a request of this job may have reached an endpoint
  std::unique_ptr<StreamRelay> stream_;  // null until the answer streams
  Timer attempt_timer_{*this, &Job::attempt_timer_is_over};

  // A dead letter that gearmand has not accepted yet.
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
