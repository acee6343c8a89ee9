// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "dispatch/answer_decoder.h"
#include "dispatch/attempt.h"
#include "gearman/link.h"
#include "http/exchange.h"
#include "metrics/metrics.h"

// Turns what the exchange or the answer said of a failed attempt into what attempt.h decides by. Pure, except
// for count_failure().
namespace driveshaft::dispatch {

// How an attempt, or a job as a whole, failed.
struct JobFailure {
  AttemptEnd end;
  std::string message;
  unsigned status = 0;                         // HTTP status; 0 if no answer came
  std::string_view answer{};                   // body of the answer; valid during the call that brought it
  std::string_view location{};                 // its header Location; likewise
  std::optional<std::uint32_t> gearman_ret{};  // set if the endpoint answered that the job failed
  // Time that the endpoint asks to wait, in the Retry-After header of a status 429 or 503.
  std::optional<std::chrono::milliseconds> asked{};
};

// The failure of an exchange that gave no response.
JobFailure failure_of(const http::Failure& failure);
// The failure of an exchange that gave a response which is no answer of the contract. The result views
// `response`.
JobFailure failure_of(const http::Response& response, const NotAnAnswer& error,
                      const config::PoolSettings& settings, std::chrono::system_clock::time_point now);
// The failure of a job whose answer says that it failed. At most `shown` bytes of the answer's text are in
// the message. The result views `answer`.
JobFailure failure_of(const Answer& answer, std::size_t shown);

// Whether the endpoint may have begun the job. For stale_connection it is only likely that the endpoint has
// not read the request: a process that was killed with the job looks the same.
bool may_have_run(http::Failure::Kind kind);

// The metrics' name for the reason why a job is held after its request may have reached the endpoint; null if
// the request has not reached it.
const char* held_for(const JobFailure& failure);

// Which packets tell gearmand of a failure with this text.
gearman::JobResult failure_result(config::FailureText setting, std::string_view text);

// Counts a job that has failed for good, `took` after it was taken.
void count_failure(metrics::FunctionMetrics& metrics, const JobFailure& failure,
                   std::chrono::steady_clock::duration took);

}  // namespace driveshaft::dispatch
