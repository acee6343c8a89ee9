// SPDX-License-Identifier: MIT
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadlines.h"
#include "dispatch/context.h"
#include "dispatch/status.h"
#include "dispatch/stream_relay.h"
#include "dispatch/trace.h"
#include "gearman/link.h"
#include "http/endpoint.h"
#include "http/exchange.h"

namespace driveshaft::dispatch {

class Job;
class Lane;
class Upstream;

inline constexpr int kNoLimit = std::numeric_limits<int>::max();

// A function that a pool serves, now or until the last job of it is done.
struct Function {
  std::string name;
  metrics::FunctionMetrics& metrics;
  std::string header_lines;                      // of its requests, see request_headers.h
  std::chrono::milliseconds max_running_time{};  // of the next job
  int max_concurrency = kNoLimit;                // jobs at once
  Upstream* upstream = nullptr;                  // where its jobs go from now on
  Lane* lane = nullptr;                          // that it is grabbed by; null when withdrawn
  int running = 0;                               // jobs
  int at_endpoint = 0;                           // of these
  bool withdrawn = false;                        // no longer in the jobs file

  // An endpoint may have one more job of it. There is none only if a server was late with its jobs, or
  // after a reload.
  bool has_place() const { return at_endpoint < max_concurrency; }
};

// What a job tells its pool. Called from within the job.
class JobOwner {
 public:
  virtual const std::string& name() const = 0;
  // Its result is with the link, to be sent.
  virtual void result_ready() = 0;
  // It did not succeed.
  virtual void job_failed(FailedJob failure) = 0;
  // Its slot is free. The job's last act.
  virtual void job_done(Job& job) = 0;

 protected:
  ~JobOwner() = default;
};

// One job in its slot: encodes the request, has it posted under the deadline, again where the pool's settings
// say so, decodes the answer and sends the one terminal packet. Made once and used for one job after another,
// so that its memory is used again. The pool owns it; the loop's thread drives it.
class Job final : public http::Exchange,
                  private base::Deadline,
                  public boost::intrusive::list_base_hook<boost::intrusive::tag<Job>>,
                  public boost::intrusive::list_base_hook<boost::intrusive::tag<Upstream>> {
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

  // The end of a shutdown's window: it is failed, or given back, as the settings say. Called again, it ends
  // now.
  void abort(std::string_view why);

  Function& function() { return *function_; }
  RunningJob status() const;

  // For the upstream. Each attempt: post it, now or after a while among the held.
  void post(http::Endpoint& endpoint);
  void held() { state_ = State::held; }
  // To the endpoint that its function has now.
  void submit();
  // Whether anybody waits for its result: otherwise gearmand gives it to another worker anyway.
  bool wanted() const { return origin_.link->holds(origin_.generation); }
  void drop();
  // Ends it without an answer, for another worker.
  void give_back();
  // The link that its answer streams to is no longer congested.
  void relieved(const gearman::Link& link);

 private:
  enum class State {
    idle,
    posted,   // at the endpoint
    held,     // waits for the endpoint
    waiting,  // for its next attempt
    buried,   // waits for gearmand to take its dead letter
  };
  // Why an attempt failed, for the policy, the log and the metrics.
  struct Setback {
    config::AttemptFailure kind;
    std::string message;
    unsigned status = 0;                         // of HTTP, if an answer came
    std::string_view answer{};                   // its body; valid as long as the call that brought it
    std::optional<std::uint32_t> gearman_ret{};  // if the endpoint said that the job failed
  };
  using Timer = base::MemberDeadline<Job>;

  void finished(base::Result<http::Response, http::Failure> result) override;
  base::Result<bool, http::Failure> piece(std::string_view bytes) override;
  void remarked(std::string_view lines) override;
  void on_deadline() override;
  void attempt_is_over();  // it has waited long enough for its next attempt, or for the answer to this one
  void leave();            // whatever it is doing
  void left(bool reached, bool answered, bool overloaded);

  StreamRelay& stream();
  bool asked_to_wait(const http::Response& response);
  bool try_again(const Setback& setback);
  void answered(const Answer& answer);
  void set_back(const Setback& setback);
  void fail(const Setback& setback);
  void note_failure(const Setback& setback);
  gearman::Verdict failure_verdict(std::string_view text) const;
  void settle_failure(gearman::Verdict verdict, std::string_view text, std::string_view reason);
  void bury(gearman::Verdict verdict, std::string_view text, std::string_view reason);
  void buried(gearman::Submitted what, std::string_view why);
  void conclude(gearman::Verdict verdict, std::string_view data);
  bool report(gearman::Verdict verdict, std::string_view data);
  void log_dropped() const;
  void end();

  base::Result<void> append_request_head();

  void append_names(std::string& line) const;  // function, handle, unique
  std::string names() const;
  std::string trace_id() const;
  void append_identity(std::string& line, std::string_view what) const;
  void append_trace(std::string& line) const;
  void log_started() const;
  void log_finished(const Answer& answer, Clock::duration took) const;

  Context& context_;
  JobOwner& owner_;

  // Of the job that runs.
  State state_ = State::idle;
  Origin origin_;
  Function* function_ = nullptr;
  Upstream* upstream_ = nullptr;
  http::Endpoint* endpoint_ = nullptr;  // of the present attempt
  const config::PoolSettings* settings_ = nullptr;
  std::string copy_;                 // handle, function, unique and workload of a small job
  std::unique_ptr<char[]> storage_;  // or of a big one
  JobFields fields_;                 // views into either
  Clock::time_point started_at_;
  Clock::time_point ends_at_;    // then its time is over
  Clock::time_point posted_at_;  // the present attempt
  std::string head_;
  RequestBody body_;
  Trace trace_;
  int attempt_ = 1;
  int waits_ = 0;                        // attempts that ended in being asked to wait
  std::unique_ptr<StreamRelay> stream_;  // of this attempt, once its answer streams
  Timer attempt_timer_{*this, &Job::attempt_is_over};

  // Of one whose dead letter is on its way.
  struct Burial {
    std::uint64_t number;  // of the submission
    gearman::Verdict verdict;
    std::string text;
    std::string letter;
  };
  std::unique_ptr<Burial> burial_;
};

using HeldJobs = boost::intrusive::list<
    Job, boost::intrusive::base_hook<boost::intrusive::list_base_hook<boost::intrusive::tag<Upstream>>>>;
using JobList = boost::intrusive::list<
    Job, boost::intrusive::base_hook<boost::intrusive::list_base_hook<boost::intrusive::tag<Job>>>>;

}  // namespace driveshaft::dispatch
