// SPDX-License-Identifier: MIT
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "base/deadlines.h"
#include "dispatch/context.h"
#include "gearman/link.h"
#include "http/endpoint.h"
#include "http/exchange.h"

namespace driveshaft::dispatch {

// A function that a pool serves, now or until the last job of it is done.
struct Function {
  std::string name;
  metrics::FunctionMetrics& metrics;
  int running = 0;         // jobs
  bool withdrawn = false;  // no longer in the jobs file
};

class Job;

// What a job tells its pool. Called from within the job.
class JobOwner {
 public:
  virtual const std::string& name() const = 0;
  // Its result is with the link, to be sent.
  virtual void result_ready() = 0;
  // Its slot is free. The job's last act.
  virtual void job_done(Job& job) = 0;

 protected:
  ~JobOwner() = default;
};

// One job in its slot: encodes the request, posts it under the deadline, decodes the answer and sends the one
// terminal packet. Made once and used for one job after another, so that its memory is used again. The pool
// owns it; the loop's thread drives it.
class Job final : public http::Exchange,
                  private base::Deadline,
                  public boost::intrusive::list_base_hook<boost::intrusive::tag<Job>> {
 public:
  Job(Context& context, JobOwner& owner) : context_(context), owner_(owner) {}

  struct Origin {
    std::shared_ptr<gearman::Link> link;
    std::uint64_t generation;  // of the link's connection
  };

  // Runs `assignment`; its bytes are copied, or with `storage` kept. What is passed by reference outlives the
  // job; settings may change meanwhile.
  void start(const gearman::Assignment& assignment, std::unique_ptr<char[]> storage, Origin origin,
             Function& function, http::Endpoint& endpoint, const config::PoolSettings& settings);

  // Fails it now; `why` is for the log.
  void abort(std::string_view why);

  Function& function() { return *function_; }

 private:
  void finished(base::Result<http::Response, http::Failure> result) override;
  void on_deadline() override;

  void answered(const Answer& answer);
  void fail(std::string_view reason);
  gearman::Verdict failure_verdict(const Answer& answer) const;
  bool report(gearman::Verdict verdict, std::string_view data);
  void log_dropped() const;
  void end();

  void append_identity(std::string& line, std::string_view what) const;
  void log_started() const;
  void log_finished(const Answer& answer, Clock::duration took) const;

  Context& context_;
  JobOwner& owner_;

  // Of the job that runs.
  Origin origin_;
  Function* function_ = nullptr;
  http::Endpoint* endpoint_ = nullptr;
  const config::PoolSettings* settings_ = nullptr;
  std::string copy_;                 // handle, function, unique and workload of a small job
  std::unique_ptr<char[]> storage_;  // or of a big one
  JobFields fields_;                 // views into either
  Clock::time_point started_at_;
  std::string head_;
  RequestBody body_;
};

using JobList = boost::intrusive::list<
    Job, boost::intrusive::base_hook<boost::intrusive::list_base_hook<boost::intrusive::tag<Job>>>>;

}  // namespace driveshaft::dispatch
