// SPDX-License-Identifier: MIT
#include "dispatch/job.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/backoff.h"
#include "base/seconds.h"
#include "config/keys.h"
#include "dispatch/backend.h"
#include "dispatch/dead_letter.h"
#include "dispatch/failure_hint.h"
#include "dispatch/pool_endpoint.h"
#include "text/printable.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;
using base::seconds;

// The time that gearmand has to accept a dead letter.
constexpr auto kDeadLetterWithin = 10s;
constexpr auto kDeadLetterAtShutdown = 1s;
// How many bytes of a failed job are kept for people to look at.
constexpr std::size_t kKeptStderr = 1024;
constexpr std::size_t kKeptAnswer = 1024;
constexpr std::size_t kKeptReason = 2048;

}  // namespace

void Job::start(const gearman::Assignment& assignment, std::unique_ptr<char[]> storage, Origin origin,
                Function& function, const config::PoolSettings& settings) try {
  started_at_ = Clock::now();
  origin_ = std::move(origin);
  function_ = &function;
  function_->metrics.started();
  settings_ = &settings;
  backend_ = nullptr;
  attempt_ = 1;
  held_attempts_ = 0;
  absences_ = 0;
  stale_connections_ = 0;
  empty_answers_ = 0;
  absent_at_.reset();
  may_have_run_ = false;
  failure_counted_ = false;
  trace_ = new_trace(settings.trace_sampling);
  ends_at_ = started_at_ + function.max_running_time;
  context_.deadlines.set(*this, ends_at_);
  try {
    bytes_.keep(assignment, std::move(storage));
    // There is no dead letter, because the job's names are gone when this call returns.
  } catch (const std::bad_alloc&) {
    return fail_at_once({AttemptEnd::internal_error, "there is no memory for it"});
  }
  try {
    request_bytes_.encode(settings.request_format, fields());
  } catch (const std::bad_alloc&) {
    return attempt_failed(
        {AttemptEnd::internal_error,
         fmt::format("no memory for a request with its workload of {} bytes", fields().workload.size())});
  }
  owner_.attempt_ready(*this);
  // Written after the job was sent: only people wait for it.
  if (state() != State::idle) log_started(logged());
} catch (const std::bad_alloc&) {
  out_of_memory();
}

void Job::post(Backend& backend) try {
  backend_ = &backend;
  if (!prepare_request()) return;
  backend.job_is_sent();
  backend.connections().post(*this);
  at_endpoint_ = true;
} catch (const std::bad_alloc&) {
  out_of_memory();
}

// Makes the request of the attempt that begins now. False: the job has failed.
bool Job::prepare_request() {
  posted_at_ = Clock::now();
  stream_.reset();
  stderr_line_.clear();
  const auto now = std::chrono::system_clock::now();
  auto time_left = ends_at_ - posted_at_;
  if (const auto attempt_timeout = settings_->retry.attempt_timeout; attempt_timeout.count() > 0) {
    time_left = std::min<Clock::duration>(time_left, attempt_timeout);
    context_.deadlines.set(attempt_timer_, attempt_timeout);
  }
  const AttemptFacts facts{fields().handle, fields().unique, attempt_, now + time_left, trace_, new_span()};
  std::optional<JobRequest::Signature> signature;
  std::string server;
  if (Signer* signer = function_->endpoint->signer()) {
    server = net::to_string(origin_.link->server());
    signature.emplace(JobRequest::Signature{*signer, server, now});
  }
  const auto request = request_bytes_.build(backend_->connections(), function_->header_lines, fields(), facts,
                                            signature ? &*signature : nullptr);
  if (request) {
    request_ = *request;
  } else {
    attempt_failed({AttemptEnd::internal_error, request.error().message});
  }
  return request.has_value();
}

void Job::finished(base::Result<http::Response, http::Failure> result) try {
  at_endpoint_ = false;
  if (phases_.connect) function_->metrics.connected(*phases_.connect);
  if (phases_.first_byte) function_->metrics.answer_began(*phases_.first_byte);
  if (result ? !is_no_script(result->status, stderr_line_) : may_have_run(result.error().kind)) {
    may_have_run_ = true;
  }
  if (!result) return attempt_failed(failure_of(result.error()));
  const auto answer = decode(*result);
  if (answer) return answered(*answer);
  attempt_failed(failure_of(*result, answer.error(), *settings_, std::chrono::system_clock::now()));
} catch (const std::bad_alloc&) {
  out_of_memory();
}

base::Result<Answer, NotAnAnswer> Job::decode(const http::Response& response) try {
  return response.streamed ? stream().finish(context_.decoder)
                           : context_.decoder.decode(response.status, response.body);
} catch (const std::bad_alloc&) {
  return NotAnAnswer{NotAnAnswer::Kind::invalid,
                     fmt::format("there is no memory for its answer of {} bytes", response.body.size())};
}

base::Result<bool, http::Failure> Job::on_chunk(std::string_view bytes) {
  auto fed = stream().feed(bytes);
  if (!fed) return http::Failure{http::Failure::Kind::malformed, fed.error().message};
  return *fed;
}

// Keeps the first line of each attempt for the reason of a failure.
void Job::on_stderr(std::string_view lines) {
  log_stderr(logged(), lines);
  if (!stderr_line_.empty()) return;
  try {
    stderr_line_ =
        text::printable(lines.substr(0, lines.find('\n')), std::min(context_.log_workload_size, kKeptStderr));
  } catch (const std::bad_alloc&) {  // the reason will not have the line
  }
}

StreamRelay& Job::stream() {
  if (!stream_) {
    stream_ = std::make_unique<StreamRelay>(*origin_.link, origin_.generation, fields().handle,
                                            settings_->max_response_size);
  }
  return *stream_;
}

void Job::on_writable(const gearman::Link& link) {
  if (stream_ && state() == State::posted && &link == origin_.link.get())
    http::Endpoint::resume_reading(*this);
}

JobHistory Job::history() const {
  return {.attempts = attempt_ - held_attempts_,
          .absences = absences_,
          .stale_connections = stale_connections_,
          .empty_answers = empty_answers_,
          .endpoint_has_answered = function_->endpoint->has_answered(),
          .empty_answers_are_usual = function_->endpoint->gives_empty_answers(),
          .time_left = ends_at_ - Clock::now(),
          .result_wanted = result_wanted(),
          .data_delivered = stream_ && stream_->gave_data(),
          .endpoint_replaced = state() == State::posted && backend_->retired(),
          .another_backend_works =
              state() == State::posted && function_->endpoint->has_another_that_works(*backend_),
          .server_requeues = origin_.link->requeues()};
}

void Job::end_attempt(BackendNews news, AttemptScore score, Clock::time_point now,
                      const JobFailure* failure) {
  attempt_timer_.clear();
  BackendHealth::Attempt attempt{
      .news = news, .function = function_, .took = now - posted_at_, .score = score};
  if (news == BackendNews::asked_to_wait) {
    attempt.wait = *failure->asked;
    attempt.why = fmt::format("it answered HTTP status {} and asks to wait {:.0f} s", failure->status,
                              seconds(*failure->asked));
  } else if (failure) {
    attempt.why = explain_outage(failure->message, facts_of(*failure));
  }
  owner_.attempt_ended(*this, std::move(attempt));
}

void Job::answered(const Answer& answer) {
  if (answer.gearman_ret == 0) return completed(answer);
  attempt_failed(failure_of(answer, context_.log_workload_size));
}

void Job::completed(const Answer& answer) {
  const auto now = Clock::now();
  const auto took = now - started_at_;
  end_attempt(decide(AttemptEnd::completed, {}, *settings_, 0).news, score(AttemptEnd::completed), now);
  bool delivered = false;
  try {
    delivered = origin_.link->send_result(origin_.generation, fields().handle, gearman::JobResult::complete,
                                          answer.response_string);
  } catch (const std::bad_alloc&) {
    return fail({AttemptEnd::internal_error, fmt::format("there is no memory for its result of {} bytes",
                                                         answer.response_string.size())});
  }
  // Counted before the result is sent, so that the metrics count a job whose result has come.
  function_->metrics.completed(took);
  if (delivered) {
    owner_.result_ready();
  } else {
    function_->metrics.result_dropped();
  }
  log_finished(logged(), answer, took);
  if (!delivered) log_dropped(logged(), *origin_.link);
  end();
}

void Job::attempt_failed(JobFailure failure) {
  stale_connections_ = failure.end == AttemptEnd::stale_connection ? stale_connections_ + 1 : 0;
  if (failure.end == AttemptEnd::absent) note_absence();
  if (failure.end == AttemptEnd::empty_answer) backend_->note_empty_answer(++empty_answers_ > 1);
  const auto so_far = history();
  failure.end = end_after(so_far, *settings_, failure.end);
  const auto decision = decide(failure.end, so_far, *settings_, base::random_share(), failure.asked);
  if (decision.action == JobAction::send_again) {
    log_sent_again(logged(), attempt_, explained(failure));
    count_repeat("closed_connection");
    if (!prepare_request()) return;
    backend_->connections().send_again(*this);
    at_endpoint_ = true;
    return;
  }
  if (state() == State::posted) end_attempt(decision.news, score(failure.end), Clock::now(), &failure);
  switch (decision.action) {
    case JobAction::hold:
    case JobAction::resubmit:
      if (const char* const reason = held_for(failure)) {
        log_held(logged(), attempt_, explained(failure));
        count_repeat(reason);
      }
      backend_ = nullptr;
      return owner_.attempt_ready(*this);
    case JobAction::retry:
      return wait_for_retry(decision, failure);
    case JobAction::requeue:
      return requeue();
    case JobAction::drop:
      return drop();
    case JobAction::deliver:
    case JobAction::send_again:
    case JobAction::fail:
      return fail(failure);
  }
}

// Counts an attempt that `retry` does not count.
void Job::count_repeat(const char* reason) {
  ++attempt_;
  ++held_attempts_;
  function_->metrics.retried(reason);
}

// The answer says that the application is absent. The job itself is to blame if another job succeeds
// meanwhile.
void Job::note_absence() {
  if (absent_at_ && function_->endpoint->has_succeeded_since(*absent_at_)) ++absences_;
  absent_at_ = Clock::now();
}

void Job::wait_for_retry(const AttemptDecision& decision, const JobFailure& failure) {
  function_->metrics.retried(config::name_of(*retried_as(failure.end)));
  log_retry(logged(), attempt_ - held_attempts_, settings_->retry.attempts, decision.delay,
            explained(failure));
  backend_ = nullptr;
  ++attempt_;
  context_.deadlines.set(attempt_timer_, decision.delay);
}

void Job::attempt_timer_is_over() try {
  if (state() != State::posted) {
    if (!result_wanted()) return drop();
    return owner_.attempt_ready(*this);
  }
  // attempt_timeout is not for reaching the endpoint: connect_timeout limits that, and such a failure differs
  // from a slow answer.
  if (!http::Endpoint::sent(*this)) {
    return context_.deadlines.set(attempt_timer_, settings_->retry.attempt_timeout);
  }
  may_have_run_ = true;
  leave_endpoint();
  attempt_failed(
      {AttemptEnd::attempt_timeout, fmt::format("no complete response within attempt_timeout ({} s)",
                                                seconds(settings_->retry.attempt_timeout))});
} catch (const std::bad_alloc&) {
  out_of_memory();
}

void Job::leave_endpoint() {
  if (std::exchange(at_endpoint_, false)) backend_->connections().cancel(*this);
}

// Ends what the job is doing.
void Job::cut_off(BackendNews news, AttemptScore score) {
  attempt_timer_.clear();
  if (dead_letter_) origin_.link->forget_submission(dead_letter_->submission);
  if (state() == State::posted && http::Endpoint::sent(*this)) may_have_run_ = true;
  leave_endpoint();
  if (state() != State::taken) end_attempt(news, score, Clock::now());
}

void Job::on_deadline() try {
  const char* place = state() == State::held ? "; it was held, as its endpoint could not take it"
                      : is_waiting()         ? "; it waited for its next attempt"
                                             : "";
  if (state() == State::posted && http::Endpoint::sent(*this)) {
    cut_off(BackendNews::no_answer, AttemptScore::failure);
  } else {
    cut_off();
  }
  if (dead_letter_) return dead_letter_answered(gearman::Submitted::lost, "gearmand did not answer");
  attempt_failed(
      {AttemptEnd::out_of_time, fmt::format("no complete response within max_running_time ({} s){}",
                                            seconds(ends_at_ - started_at_), place)});
} catch (const std::bad_alloc&) {
  out_of_memory();
}

void Job::abort(std::string_view why) try {
  if (state() == State::idle) return;
  if (dead_letter_) return context_.deadlines.set(*this, kDeadLetterAtShutdown);
  cut_off();
  attempt_failed({AttemptEnd::shutdown, std::string(why)});
} catch (const std::bad_alloc&) {
  out_of_memory();
}

void Job::cancel(std::string_view why, bool requeue) try {
  cut_off();
  attempt_failed({requeue ? AttemptEnd::given_back : AttemptEnd::cancelled, std::string(why)});
} catch (const std::bad_alloc&) {
  out_of_memory();
}

void Job::pool_drains() try {
  cut_off();
  attempt_failed({AttemptEnd::pool_drains,
                  "its pool drains while it is held for its endpoint, and its job server has no other worker "
                  "run it"});
} catch (const std::bad_alloc&) {
  out_of_memory();
}

void Job::requeue() {
  log_requeued(logged());
  function_->metrics.requeued();
  origin_.link->leave_unanswered(origin_.generation);
  end();
}

void Job::drop() {
  function_->metrics.result_dropped();
  log_dropped(logged(), *origin_.link);
  end();
}

// The job has failed for good.
void Job::fail(const JobFailure& failure) {
  const std::string reason = explained(failure);
  count_failure(failure, reason);
  if (failure.end == AttemptEnd::refused) {
    log_finished(logged(), {*failure.gearman_ret, failure.answer}, Clock::now() - started_at_);
    return give_failure(failure.answer, reason);
  }
  log_failed(logged(), place(), Clock::now() - started_at_, reason);
  give_failure(settings_->explain_failures ? std::string_view(reason) : std::string_view(), reason);
}

void Job::fail_at_once(const JobFailure& failure) {
  const std::string reason = explained(failure);
  count_failure(failure, reason);
  log_failed(logged(), place(), Clock::now() - started_at_, reason);
  conclude(gearman::JobResult::fail, {});
}

// Name of the backend that the job was at, or of the endpoint that it would have gone to, as people are shown
// it.
const std::string& Job::place() const { return backend_ ? backend_->name() : function_->endpoint->name(); }

std::string Job::explained(const JobFailure& failure) const {
  return explain_failure(failure.message, facts_of(failure));
}

FailureFacts Job::facts_of(const JobFailure& failure) const {
  return {.end = failure.end,
          .status = failure.status,
          .took = Clock::now() - posted_at_,
          .may_have_run = may_have_run_,
          .over_unix_socket = backend_ && backend_->uri().is_http_over_unix(),
          .over_fastcgi = backend_ && backend_->uri().is_fastcgi(),
          .may_be_fastcgi = backend_ && backend_->uri().may_be_fastcgi(),
          .has_begun = phases_.first_byte.has_value(),
          .is_empty = failure.answer.empty(),
          .location = failure.location,
          .stderr_line = stderr_line_};
}

// Counts the failure in the metrics, and keeps it for people to look at.
void Job::count_failure(const JobFailure& failure, std::string_view reason) {
  const auto took = Clock::now() - started_at_;
  dispatch::count_failure(function_->metrics, failure, took);
  failure_counted_ = true;
  try {
    owner_.job_failed(described(failure, reason, took));
  } catch (const std::bad_alloc&) {  // one failure less is shown to people
  }
}

FailedJob Job::described(const JobFailure& failure, std::string_view reason, Clock::duration took) const {
  FailedJob failed{.function = text::printable(fields().function, 512),
                   .handle = text::printable(fields().handle, 128),
                   .unique = text::printable(fields().unique, 128),
                   .server = origin_.link->server(),
                   .at = std::chrono::system_clock::now(),
                   .took = took,
                   .attempts = attempt_,
                   .kind = name_of(failure_kind(failure.end)),
                   .reason = text::printable(reason, kKeptReason),
                   .http_status = {},
                   .gearman_ret = failure.gearman_ret,
                   .answer = text::printable(failure.answer, kKeptAnswer)};
  if (failure.status != 0) failed.http_status = failure.status;
  return failed;
}

// Tells gearmand that the job has failed. If there is a dead letter, gearmand is told only when it has
// accepted the letter: if anything goes wrong before that, gearmand still has the job.
void Job::give_failure(std::string_view text, std::string_view reason) {
  const auto result = failure_result(settings_->failure_text, text);
  const std::string& letters = settings_->dead_letter_function;
  // The job of a dead letter gets no dead letter itself: that one would fail again.
  if (letters.empty() || letters == fields().function || !result_wanted()) return conclude(result, text);
  try {
    send_dead_letter(result, text, reason);
  } catch (const std::bad_alloc&) {
    dead_letter_.reset();
    function_->metrics.dead_lettered(false);
    log_no_memory_for_dead_letter(logged());
    conclude(result, text);
  }
}

void Job::send_dead_letter(gearman::JobResult result, std::string_view text, std::string_view reason) {
  const auto now = std::chrono::system_clock::now();
  const auto ran =
      std::chrono::duration_cast<std::chrono::system_clock::duration>(Clock::now() - started_at_);
  dead_letter_ = std::make_unique<PendingLetter>();
  dead_letter_->result = result;
  dead_letter_->text = text;
  dead_letter_->letter =
      encode(DeadLetter{fields(), reason, attempt_, now - ran, now, owner_.name(), context_.host});
  dead_letter_->submission = origin_.link->submit_background(
      settings_->dead_letter_function, new_unique(), dead_letter_->letter,
      [this](gearman::Submitted what, std::string_view why) { dead_letter_answered(what, why); });
  context_.deadlines.set(*this, kDeadLetterWithin);
}

void Job::dead_letter_answered(gearman::Submitted what, std::string_view why) try {
  const auto pending = std::move(dead_letter_);
  const bool accepted = what == gearman::Submitted::accepted;
  function_->metrics.dead_lettered(accepted);
  if (!accepted) log_dead_letter_refused(origin_.link->server(), why, pending->letter);
  conclude(pending->result, pending->text);
} catch (const std::bad_alloc&) {
  out_of_memory();
}

// There was no memory for the job's next step, which may have been to say how it failed. So it fails without
// a text and without a dead letter. Nothing here needs memory, except WORK_FAIL; if there is none for it, the
// job is left unanswered.
void Job::out_of_memory() {
  cut_off();
  dead_letter_.reset();
  if (!failure_counted_) function_->metrics.failed();
  log_out_of_memory(logged());
  conclude(gearman::JobResult::fail, {});
}

// Sends the failure to gearmand and ends the job.
void Job::conclude(gearman::JobResult result, std::string_view data) {
  try {
    if (origin_.link->send_result(origin_.generation, fields().handle, result, data)) {
      owner_.result_ready();
    } else {
      function_->metrics.result_dropped();
      log_dropped(logged(), *origin_.link);
    }
  } catch (const std::bad_alloc&) {
    if (!data.empty()) return conclude(gearman::JobResult::fail, {});
    origin_.link->leave_unanswered(origin_.generation);  // the only step that needs no memory
  }
  end();
}

void Job::end() {
  clear();
  attempt_timer_.clear();
  stream_.reset();
  function_->metrics.ended();
  origin_.link.reset();
  bytes_.clear();
  request_bytes_.clear();
  stderr_line_ = {};
  owner_.job_done(*this);
}

RunningJob Job::status() const {
  const char* name = dead_letter_              ? "dead-lettering"
                     : state() == State::held  ? "held"
                     : state() == State::taken ? "waiting"
                                               : "running";
  return {.function = text::printable(fields().function, 512),
          .handle = text::printable(fields().handle, 128),
          .unique = text::printable(fields().unique, 128),
          .server = origin_.link->server(),
          .started = started_at_,
          .ends = ends_at_,
          .attempt = attempt_,
          .backend = state() == State::posted ? backend_->name() : std::string(),
          .state = name};
}

}  // namespace driveshaft::dispatch
