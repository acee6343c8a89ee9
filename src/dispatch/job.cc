// SPDX-License-Identifier: MIT
#include "dispatch/job.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/log.h"
#include "base/seconds.h"
#include "config/keys.h"
#include "dispatch/dead_letter.h"
#include "dispatch/request_headers.h"
#include "dispatch/retry.h"
#include "dispatch/signer.h"
#include "dispatch/upstream.h"
#include "http/retry_after.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using base::kThreadLog;
using base::LogLevel;
using base::seconds;

// Memory that a big job leaves behind is given back.
constexpr std::size_t kKeepCapacity = 32 * 1024;
// Up to here one piece is sent faster than four.
constexpr std::size_t kCopiedBody = 4 * 1024;
// For gearmand to take a dead letter.
constexpr auto kBurial = 10s;
constexpr auto kBurialAtShutdown = 1s;
// Of an answer that made a job fail, as kept for people to look at.
constexpr std::size_t kShownAnswer = 256;
constexpr std::size_t kShownReason = 1024;

// The line being built; its memory is used again.
std::string& empty_line() {
  thread_local std::string line;
  line.clear();
  return line;
}

}  // namespace

void Job::start(const gearman::Assignment& assignment, std::unique_ptr<char[]> storage, Origin origin,
                Function& function, const config::PoolSettings& settings) {
  started_at_ = Clock::now();
  origin_ = std::move(origin);
  function_ = &function;
  upstream_ = function.upstream;
  settings_ = &settings;
  attempt_ = 1;
  waits_ = 0;
  trace_ = new_trace(settings.trace_sampling);
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
  ends_at_ = started_at_ + function.max_running_time;
  context_.deadlines.set(*this, ends_at_);
  state_ = State::waiting;
  try {
    encode(settings.request_format, fields_, body_);
  } catch (const std::bad_alloc&) {
    function_->metrics.failed();
    return fail(
        {config::AttemptFailure::failure,
         fmt::format("no memory for a request with its workload of {} bytes", fields_.workload.size())});
  }
  submit();
  if (state_ != State::idle) log_started();  // it is on its way: what only people wait for comes after it
}

void Job::submit() {
  upstream_ = function_->upstream;
  upstream_->submit(*this);
}

void Job::post(http::Endpoint& endpoint) {
  state_ = State::posted;
  posted_at_ = Clock::now();
  endpoint_ = &endpoint;
  if (const auto head = append_request_head(); !head) {
    state_ = State::waiting;
    upstream_->not_sent(*function_);
    return set_back({config::AttemptFailure::failure, head.error().message});
  }
  if (body_.size() <= kCopiedBody) {
    head_.append(body_.before).append(body_.workload).append(body_.after);
    request_ = {asio::buffer(head_)};
  } else {
    request_ = {asio::buffer(head_), asio::buffer(body_.before),
                asio::buffer(body_.workload.data(), body_.workload.size()), asio::buffer(body_.after)};
  }
  stream_.reset();
  const auto attempt_timeout = settings_->retry.attempt_timeout;
  if (attempt_timeout.count() > 0) context_.deadlines.set(attempt_timer_, attempt_timeout);
  endpoint.post(*this);
}

base::Result<void> Job::append_request_head() {
  const auto now = std::chrono::system_clock::now();
  auto time_left = ends_at_ - posted_at_;
  const auto attempt_timeout = settings_->retry.attempt_timeout;
  if (attempt_timeout.count() > 0) time_left = std::min<Clock::duration>(time_left, attempt_timeout);
  head_.clear();
  endpoint_->append_head(head_, body_.content_type, body_.size());
  head_.append(function_->header_lines);
  append_attempt_lines(head_,
                       {fields_.handle, fields_.unique, attempt_, now + time_left, trace_, new_span()});
  if (Signer* signer = upstream_->signer()) {
    const auto id = webhook_id(base::to_string(origin_.link->server()), fields_);
    if (!id) return id.error();
    if (auto done = signer->append_lines(head_, *id, now, body_); !done) return done;
  }
  head_.append("\r\n");
  return {};
}

void Job::finished(base::Result<http::Response, http::Failure> result) {
  using config::AttemptFailure;
  attempt_timer_.clear();
  if (phases_.connect) function_->metrics.connected(*phases_.connect);
  if (phases_.first_byte) function_->metrics.answer_began(*phases_.first_byte);
  if (!result) {
    const http::Failure& failure = result.error();
    switch (failure.kind) {
      case http::Failure::Kind::unreachable:
        if (settings_->endpoint_down == config::EndpointDown::hold) {
          return upstream_->left_unreachable(*this, *endpoint_, failure.message);
        }
        left(/*reached=*/false, false, false);
        return set_back({AttemptFailure::unreachable, failure.message});
      case http::Failure::Kind::connection_lost:
        left(true, /*answered=*/false, /*overloaded=*/true);
        return set_back({AttemptFailure::connection_lost, failure.message});
      case http::Failure::Kind::overloaded:
        left(true, /*answered=*/false, /*overloaded=*/true);
        return set_back({AttemptFailure::server_error, failure.message});
      case http::Failure::Kind::malformed:
      case http::Failure::Kind::too_large:
        left(true, /*answered=*/false, /*overloaded=*/false);
        return set_back({AttemptFailure::invalid_response, failure.message});
    }
  }
  const unsigned status = result->status;
  const auto answer =
      result->streamed ? stream().finish(context_.decoder) : context_.decoder.decode(status, result->body);
  if (answer) {
    left(true, /*answered=*/true, false);
    return answered(*answer);
  }
  if (asked_to_wait(*result)) return;
  left(true, /*answered=*/false, /*overloaded=*/status == 429 || status / 100 == 5);
  const auto kind = answer.error().kind == NotAnAnswer::Kind::invalid ? AttemptFailure::invalid_response
                    : status == 429                                   ? AttemptFailure::too_many_requests
                    : status / 100 == 5                               ? AttemptFailure::server_error
                                                                      : AttemptFailure::other_status;
  set_back({kind, answer.error().message, status, result->body});
}

base::Result<bool, http::Failure> Job::piece(std::string_view bytes) {
  auto fed = stream().feed(bytes);
  if (!fed) return http::Failure{http::Failure::Kind::malformed, fed.error().message};
  return *fed;
}

void Job::remarked(std::string_view lines) {
  if (!kThreadLog.enabled(LogLevel::warn)) return;
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    std::string& line = empty_line();
    append_names(line.append("Script's stderr: "));
    line.append(" pool=");
    base::append_printable(line, owner_.name(), 128);
    line.append(" text=");
    base::append_printable(line, lines.substr(0, end), kShownReason);
    append_trace(line);
    kThreadLog.write(LogLevel::warn, line);
    lines.remove_prefix(std::min(end, lines.size() - 1) + 1);
  }
}

StreamRelay& Job::stream() {
  if (!stream_) {
    stream_ = std::make_unique<StreamRelay>(*origin_.link, origin_.generation, fields_.handle,
                                            settings_->max_response_size);
  }
  return *stream_;
}

void Job::relieved(const gearman::Link& link) {
  if (stream_ && state_ == State::posted && &link == origin_.link.get()) endpoint_->read_on(*this);
}

void Job::left(bool reached, bool answered, bool overloaded) {
  state_ = State::waiting;  // for what is decided now
  upstream_->left({*function_, Clock::now() - posted_at_, reached, answered, overloaded});
}

// 429 and 503 may say when to come again. That is no failure, as long as it is in time.
bool Job::asked_to_wait(const http::Response& response) {
  if (response.retry_after.empty() || (response.status != 429 && response.status != 503)) return false;
  const auto wait = http::parse_retry_after(response.retry_after, std::chrono::system_clock::now());
  if (!wait || Clock::now() + *wait >= ends_at_) return false;
  ++attempt_;
  ++waits_;
  function_->metrics.retried("retry_after");
  upstream_->left_to_wait(*this, *endpoint_, *wait, response.status);
  return true;
}

void Job::answered(const Answer& answer) {
  const auto took = Clock::now() - started_at_;
  if (answer.gearman_ret == 0) {
    function_->metrics.completed(took);  // counted first: whoever has the result finds it in the metrics
    const bool delivered = report(gearman::Verdict::complete, answer.response_string);
    log_finished(answer, took);
    if (!delivered) log_dropped();
    return end();
  }
  const std::string reason = fmt::format("the endpoint answered gearman_ret {}: \"{}\"", answer.gearman_ret,
                                         base::printable(answer.response_string, context_.log_workload_size));
  const Setback setback{config::AttemptFailure::failure, reason, 0, answer.response_string,
                        answer.gearman_ret};
  if (try_again(setback)) return;
  function_->metrics.refused();
  log_finished(answer, took);
  note_failure(setback);
  settle_failure(failure_verdict(answer.response_string), answer.response_string, reason);
}

void Job::set_back(const Setback& setback) {
  if (try_again(setback)) return;
  if (setback.kind == config::AttemptFailure::timeout) {
    function_->metrics.timed_out();
  } else if (setback.status != 0 && setback.kind != config::AttemptFailure::invalid_response) {
    function_->metrics.http_error(static_cast<int>(setback.status));
  } else {
    function_->metrics.failed();
  }
  fail(setback);
}

// False: it has finally failed. So has one that would come again after its time is over, that nobody waits
// for, or of whose result the client has a part.
bool Job::try_again(const Setback& setback) {
  if (stream_ && stream_->gave_data()) return false;
  const int attempt = attempt_ - waits_;  // to be asked to wait is no failure
  const auto delay = retry_delay(settings_->retry, setback.kind, attempt);
  if (!delay || !wanted() || Clock::now() + *delay >= ends_at_) return false;
  function_->metrics.retried(config::name_of(setback.kind));
  if (kThreadLog.enabled(LogLevel::warn)) {
    std::string& line = empty_line();
    append_identity(line, "Trying job again: ");
    fmt::format_to(std::back_inserter(line), " pool={} attempt={} of={} next_in={:.3f} reason={}",
                   base::printable(owner_.name(), 128), attempt, settings_->retry.attempts, seconds(*delay),
                   setback.message);
    append_trace(line);
    kThreadLog.write(LogLevel::warn, line);
  }
  ++attempt_;
  state_ = State::waiting;
  context_.deadlines.set(attempt_timer_, *delay);
  return true;
}

void Job::attempt_is_over() {
  if (state_ == State::posted) {
    // Reaching the endpoint has its own limit, and its end is told from a slow answer.
    if (!endpoint_->sent(*this)) {
      return context_.deadlines.set(attempt_timer_, settings_->retry.attempt_timeout);
    }
    endpoint_->cancel(*this);
    left(/*reached=*/true, /*answered=*/false, /*overloaded=*/true);
    return set_back(
        {config::AttemptFailure::timeout, fmt::format("no complete response within attempt_timeout ({} s)",
                                                      seconds(settings_->retry.attempt_timeout))});
  }
  if (!wanted()) return drop();
  submit();
}

gearman::Verdict Job::failure_verdict(std::string_view text) const {
  if (text.empty()) return gearman::Verdict::fail;
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

void Job::leave() {
  attempt_timer_.clear();
  switch (state_) {
    case State::posted:
      endpoint_->cancel(*this);
      upstream_->left(*function_);
      break;
    case State::held:
      upstream_->withdraw(*this);
      break;
    case State::buried:
      origin_.link->forget_submission(burial_->number);
      break;
    case State::waiting:
    case State::idle:
      break;
  }
}

void Job::on_deadline() {
  const char* place = state_ == State::held      ? "; it was held, as its endpoint could not take it"
                      : state_ == State::waiting ? "; it waited for its next attempt"
                                                 : "";
  leave();
  if (state_ == State::buried) return buried(gearman::Submitted::lost, "gearmand did not answer");
  function_->metrics.timed_out();
  fail({config::AttemptFailure::timeout, fmt::format("no complete response within max_running_time ({} s){}",
                                                     seconds(ends_at_ - started_at_), place)});
}

void Job::abort(std::string_view why) {
  if (state_ == State::idle) return;
  if (state_ == State::buried) return context_.deadlines.set(*this, kBurialAtShutdown);
  leave();
  if (settings_->on_shutdown == config::OnShutdown::requeue) return give_back();
  function_->metrics.timed_out();
  fail({config::AttemptFailure::timeout, std::string(why)});
}

void Job::give_back() {
  kThreadLog.info("Given back: {} trace={}; gearmand gives it to another worker", names(), trace_id());
  function_->metrics.requeued();
  origin_.link->leave_unanswered(origin_.generation);
  end();
}

void Job::drop() {
  function_->metrics.result_dropped();
  log_dropped();
  end();
}

void Job::fail(const Setback& setback) {
  if (kThreadLog.enabled(LogLevel::error)) {
    std::string& line = empty_line();
    append_identity(line, "Failed job: ");
    fmt::format_to(std::back_inserter(line), " pool={} uri={} duration={:.6f} reason={}",
                   base::printable(owner_.name(), 128), function_->upstream->uri().display,
                   seconds(Clock::now() - started_at_), setback.message);
    append_trace(line);
    kThreadLog.write(LogLevel::error, line);
  }
  note_failure(setback);
  const std::string_view text = settings_->explain_failures ? setback.message : std::string_view();
  settle_failure(failure_verdict(text), text, setback.message);
}

// The last word on a failed job. With a dead letter it is said only when gearmand has the letter: should
// anything go wrong before, gearmand still has the job.
void Job::settle_failure(gearman::Verdict verdict, std::string_view text, std::string_view reason) {
  const std::string& letters = settings_->dead_letter_function;
  // A letter that fails is not put into another one, which would fail again.
  if (letters.empty() || letters == fields_.function || !wanted()) return conclude(verdict, text);
  try {
    bury(verdict, text, reason);
  } catch (const std::bad_alloc&) {
    burial_.reset();
    function_->metrics.dead_lettered(false);
    kThreadLog.error("Dead letter not written: no memory for it; {}", names());
    conclude(verdict, text);
  }
}

void Job::bury(gearman::Verdict verdict, std::string_view text, std::string_view reason) {
  const auto now = std::chrono::system_clock::now();
  const auto ran =
      std::chrono::duration_cast<std::chrono::system_clock::duration>(Clock::now() - started_at_);
  burial_ = std::make_unique<Burial>();
  burial_->verdict = verdict;
  burial_->text = text;
  burial_->letter =
      encode(DeadLetter{fields_, reason, attempt_, now - ran, now, owner_.name(), context_.host});
  burial_->number = origin_.link->submit_background(
      settings_->dead_letter_function, new_unique(), burial_->letter,
      [this](gearman::Submitted what, std::string_view why) { buried(what, why); });
  state_ = State::buried;
  context_.deadlines.set(*this, kBurial);
}

void Job::buried(gearman::Submitted what, std::string_view why) {
  const auto burial = std::move(burial_);
  const bool accepted = what == gearman::Submitted::accepted;
  function_->metrics.dead_lettered(accepted);
  if (!accepted) {
    kThreadLog.error("Dead letter not taken by gearmand {}: {}; it was {}",
                     base::to_string(origin_.link->server()), why, burial->letter);
  }
  conclude(burial->verdict, burial->text);
}

void Job::conclude(gearman::Verdict verdict, std::string_view data) {
  if (!report(verdict, data)) log_dropped();
  end();
}

RunningJob Job::status() const {
  constexpr std::string_view kStates[] = {"idle", "running", "held", "waiting", "buried"};
  return {.function = base::printable(fields_.function, 512),
          .handle = base::printable(fields_.handle, 128),
          .unique = base::printable(fields_.unique, 128),
          .server = origin_.link->server(),
          .started = started_at_,
          .ends = ends_at_,
          .attempt = attempt_,
          .state = kStates[static_cast<std::size_t>(state_)]};
}

void Job::note_failure(const Setback& setback) {
  FailedJob failure{.function = base::printable(fields_.function, 512),
                    .handle = base::printable(fields_.handle, 128),
                    .unique = base::printable(fields_.unique, 128),
                    .server = origin_.link->server(),
                    .at = std::chrono::system_clock::now(),
                    .took = Clock::now() - started_at_,
                    .attempts = attempt_,
                    .reason = base::printable(setback.message, kShownReason),
                    .http_status = {},
                    .gearman_ret = setback.gearman_ret,
                    .answer = base::printable(setback.answer, kShownAnswer)};
  if (setback.status != 0) failure.http_status = setback.status;
  owner_.job_failed(std::move(failure));
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
      "Dropped result: {} trace={}; its connection to gearmand {} is gone, gearmand runs the job again",
      names(), trace_id(), base::to_string(origin_.link->server()));
}

void Job::end() {
  clear();
  attempt_timer_.clear();
  stream_.reset();
  state_ = State::idle;
  function_->metrics.ended();
  function_->running--;
  origin_.link.reset();
  storage_.reset();
  fields_ = {};
  for (std::string* memory : {&copy_, &head_, &body_.before, &body_.after}) {
    if (memory->capacity() > kKeepCapacity) std::string().swap(*memory);
  }
  owner_.job_done(*this);
}

void Job::append_names(std::string& line) const {
  line.append("function=");
  base::append_printable(line, fields_.function, 512);
  line.append(" handle=");
  base::append_printable(line, fields_.handle, 128);
  line.append(" unique=");
  base::append_printable(line, fields_.unique, 128);
}

std::string Job::names() const {
  std::string names;
  append_names(names);
  return names;
}

std::string Job::trace_id() const {
  std::string id;
  append_trace_id(id, trace_);
  return id;
}

void Job::append_identity(std::string& line, std::string_view what) const {
  append_names(line.append(what));
  line.append(" workload=");
  base::append_printable(line, fields_.workload, context_.log_workload_size);
}

void Job::append_trace(std::string& line) const {
  line.append(" trace=");
  append_trace_id(line, trace_);
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
  append_trace(line);
  kThreadLog.write(LogLevel::info, line);
}

}  // namespace driveshaft::dispatch
