// SPDX-License-Identifier: MIT
#include "dispatch/job.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"

namespace driveshaft::dispatch {
namespace {

using base::kThreadLog;
using base::LogLevel;

// Memory that a big job leaves behind is given back.
constexpr std::size_t kKeepCapacity = 32 * 1024;
// Up to here one piece is sent faster than four.
constexpr std::size_t kCopiedBody = 4 * 1024;

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

// The line being built; its memory is used again.
std::string& empty_line() {
  thread_local std::string line;
  line.clear();
  return line;
}

}  // namespace

void Job::start(const gearman::Assignment& assignment, std::unique_ptr<char[]> storage, Origin origin,
                Function& function, http::Endpoint& endpoint, const config::PoolSettings& settings) {
  started_at_ = Clock::now();
  origin_ = std::move(origin);
  function_ = &function;
  endpoint_ = &endpoint;
  settings_ = &settings;
  fields_ = {assignment.function, assignment.handle, assignment.unique, assignment.workload};
  if (storage) {
    storage_ = std::move(storage);
  } else {
    // The four lie one behind the other in the packet.
    const char* begin = assignment.handle.data();
    copy_.assign(begin, assignment.workload.data() + assignment.workload.size());
    for (auto* field : {&fields_.function, &fields_.handle, &fields_.unique, &fields_.workload}) {
      *field = std::string_view(copy_.data() + (field->data() - begin), field->size());
    }
  }
  function_->running++;
  function_->metrics.started();
  context_.deadlines.set(*this, started_at_ + context_.max_running_time);
  try {
    encode(settings.request_format, fields_, body_);
  } catch (const std::bad_alloc&) {
    function_->metrics.failed();
    return fail(
        fmt::format("no memory for a request with its workload of {} bytes", fields_.workload.size()));
  }
  head_.clear();
  endpoint_->append_head(head_, body_.content_type, body_.size());
  if (body_.size() <= kCopiedBody) {
    head_.append(body_.before).append(body_.workload).append(body_.after);
    request_ = {asio::buffer(head_)};
  } else {
    request_ = {asio::buffer(head_), asio::buffer(body_.before),
                asio::buffer(body_.workload.data(), body_.workload.size()), asio::buffer(body_.after)};
  }
  endpoint_->post(*this);
  log_started();  // the request is on its way: what only people wait for comes after it
}

void Job::finished(base::Result<http::Response, http::Failure> result) {
  if (!result) {
    function_->metrics.failed();
    return fail(result.error().message);
  }
  const auto answer = context_.decoder.decode(result->status, result->body);
  if (answer) return answered(*answer);
  if (answer.error().kind == NotAnAnswer::Kind::http_status) {
    function_->metrics.http_error(static_cast<int>(result->status));
  } else {
    function_->metrics.failed();
  }
  fail(answer.error().message);
}

void Job::answered(const Answer& answer) {
  const auto took = Clock::now() - started_at_;
  const bool success = answer.gearman_ret == 0;
  // Counted first: whoever has the result finds it in the metrics.
  if (success) {
    function_->metrics.completed(took);
  } else {
    function_->metrics.refused();
  }
  const bool delivered =
      report(success ? gearman::Verdict::complete : failure_verdict(answer), answer.response_string);
  log_finished(answer, took);
  if (!delivered) log_dropped();
  end();
}

gearman::Verdict Job::failure_verdict(const Answer& answer) const {
  if (answer.response_string.empty()) return gearman::Verdict::fail;
  switch (settings_->failure_text) {
    case config::FailureText::exception:
      return gearman::Verdict::exception;
    case config::FailureText::warning:
      return gearman::Verdict::warning_and_fail;
    case config::FailureText::drop:
      return gearman::Verdict::fail;
  }
  return gearman::Verdict::fail;
}

void Job::on_deadline() {
  endpoint_->cancel(*this);
  function_->metrics.timed_out();
  fail(
      fmt::format("no complete response within max_running_time ({} s)", seconds(context_.max_running_time)));
}

void Job::abort(std::string_view why) {
  endpoint_->cancel(*this);
  function_->metrics.timed_out();
  fail(why);
}

void Job::fail(std::string_view reason) {
  const bool delivered = report(gearman::Verdict::fail, {});
  if (kThreadLog.enabled(LogLevel::error)) {
    std::string& line = empty_line();
    append_identity(line, "Failed job: ");
    fmt::format_to(std::back_inserter(line), " pool={} uri={} duration={:.6f} reason={}",
                   base::printable(owner_.name(), 128), endpoint_->uri().display,
                   seconds(Clock::now() - started_at_), reason);
    kThreadLog.write(LogLevel::error, line);
  }
  if (!delivered) log_dropped();
  end();
}

// False: the connection that the job came through is gone.
bool Job::report(gearman::Verdict verdict, std::string_view data) {
  if (origin_.link->finish(origin_.generation, fields_.handle, verdict, data)) {
    owner_.result_ready();
    return true;
  }
  function_->metrics.result_dropped();
  return false;
}

void Job::log_dropped() const {
  kThreadLog.warn(
      "Dropped result: function={} handle={} unique={} its connection to gearmand {} is gone; gearmand "
      "runs the job again",
      base::printable(fields_.function, 512), base::printable(fields_.handle, 128),
      base::printable(fields_.unique, 128), base::to_string(origin_.link->server()));
}

void Job::end() {
  clear();
  function_->metrics.ended();
  function_->running--;
  origin_.link.reset();
  storage_.reset();
  fields_ = {};
  for (std::string* memory : {&copy_, &body_.before, &body_.after}) {
    if (memory->capacity() > kKeepCapacity) std::string().swap(*memory);
  }
  owner_.job_done(*this);
}

void Job::append_identity(std::string& line, std::string_view what) const {
  line.append(what).append("function=");
  base::append_printable(line, fields_.function, 512);
  line.append(" handle=");
  base::append_printable(line, fields_.handle, 128);
  line.append(" unique=");
  base::append_printable(line, fields_.unique, 128);
  line.append(" workload=");
  base::append_printable(line, fields_.workload, context_.log_workload_size);
}

void Job::log_started() const {
  if (!kThreadLog.enabled(LogLevel::info)) return;
  std::string& line = empty_line();
  append_identity(line, "Starting job: ");
  kThreadLog.write(LogLevel::info, line);
}

void Job::log_finished(const Answer& answer, Clock::duration took) const {
  if (!kThreadLog.enabled(LogLevel::info)) return;
  std::string& line = empty_line();
  append_identity(line, "Finished job: ");
  fmt::format_to(std::back_inserter(line), " return_code={} response_string=", answer.gearman_ret);
  base::append_printable(line, answer.response_string, context_.log_workload_size);
  fmt::format_to(std::back_inserter(line), " duration={:.6f}", seconds(took));
  kThreadLog.write(LogLevel::info, line);
}

}  // namespace driveshaft::dispatch
