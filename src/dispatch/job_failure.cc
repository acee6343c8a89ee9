// SPDX-License-Identifier: MIT
#include "dispatch/job_failure.h"

#include <fmt/format.h>

#include "http/retry_after.h"
#include "text/printable.h"

namespace driveshaft::dispatch {
namespace {

AttemptEnd end_of(http::Failure::Kind kind) {
  switch (kind) {
    case http::Failure::Kind::unreachable:
      return AttemptEnd::unreachable;
    case http::Failure::Kind::full:
      return AttemptEnd::full;
    case http::Failure::Kind::stale_connection:
      return AttemptEnd::stale_connection;
    case http::Failure::Kind::connection_lost:
      return AttemptEnd::connection_lost;
    case http::Failure::Kind::overloaded:
      return AttemptEnd::server_error;
    case http::Failure::Kind::malformed:
    case http::Failure::Kind::too_large:
      return AttemptEnd::invalid_response;
  }
  return AttemptEnd::invalid_response;
}

AttemptEnd end_of(NotAnAnswer::Kind kind, unsigned status, const config::PoolSettings& settings) {
  switch (kind) {
    case NotAnAnswer::Kind::http_status:
      return end_of_status(status, settings);
    case NotAnAnswer::Kind::empty:
      return AttemptEnd::empty_answer;
    case NotAnAnswer::Kind::invalid:
      return AttemptEnd::invalid_response;
  }
  return AttemptEnd::invalid_response;
}

std::optional<std::chrono::milliseconds> asked_wait(const http::Response& response,
                                                    std::chrono::system_clock::time_point now) {
  if (response.retry_after.empty() || (response.status != 429 && response.status != 503)) return std::nullopt;
  return http::parse_retry_after(response.retry_after, now);
}

}  // namespace

JobFailure failure_of(const http::Failure& failure) { return {end_of(failure.kind), failure.message}; }

JobFailure failure_of(const http::Response& response, const NotAnAnswer& error,
                      const config::PoolSettings& settings, std::chrono::system_clock::time_point now) {
  return {.end = end_of(error.kind, response.status, settings),
          .message = error.message,
          .status = response.status,
          .answer = response.body,
          .location = response.location,
          .gearman_ret = {},
          .asked = asked_wait(response, now)};
}

JobFailure failure_of(const Answer& answer, std::size_t shown) {
  return {.end = AttemptEnd::refused,
          .message = fmt::format("the endpoint answered gearman_ret {}: \"{}\"", answer.gearman_ret,
                                 text::printable(answer.response_string, shown)),
          .status = 0,
          .answer = answer.response_string,
          .location = {},
          .gearman_ret = answer.gearman_ret,
          .asked = {}};
}

bool may_have_run(http::Failure::Kind kind) {
  using enum http::Failure::Kind;
  return kind != unreachable && kind != full && kind != overloaded;
}

const char* held_for(const JobFailure& failure) {
  if (failure.asked) return "retry_after";
  if (failure.end == AttemptEnd::stale_connection) return "closed_connection";
  if (failure.end == AttemptEnd::absent) return "hold_on";
  return failure.end == AttemptEnd::empty_answer ? "empty_answer" : nullptr;
}

gearman::JobResult failure_result(config::FailureText setting, std::string_view text) {
  if (text.empty()) return gearman::JobResult::fail;
  switch (setting) {
    case config::FailureText::exception:
      return gearman::JobResult::exception;
    case config::FailureText::warning:
      return gearman::JobResult::warning_and_fail;
    case config::FailureText::drop:
      return gearman::JobResult::fail;
  }
  return gearman::JobResult::fail;
}

void count_failure(metrics::FunctionMetrics& metrics, const JobFailure& failure,
                   std::chrono::steady_clock::duration took) {
  metrics.failed_after(took);
  switch (failure_kind(failure.end)) {
    case FailureKind::refused:
      return metrics.refused();
    case FailureKind::out_of_time:
      return metrics.timed_out();
    case FailureKind::error_answer:
      if (failure.status != 0) return metrics.http_error(static_cast<int>(failure.status));
      return metrics.failed();
    case FailureKind::none:
    case FailureKind::invalid_answer:
    case FailureKind::no_answer:
    case FailureKind::internal_error:
    case FailureKind::cancelled:
      return metrics.failed();
  }
}

}  // namespace driveshaft::dispatch
