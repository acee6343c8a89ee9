// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "dispatch/attempt.h"
#include "dispatch/contract.h"
#include "gearman/link.h"
#include "http/exchange.h"
#include "metrics/metrics.h"

// How an attempt failed: what the exchange or the answer said, in the terms in which attempt.h decides. Pure,
// but for count_failure().
namespace driveshaft::dispatch {

// How an attempt at a job failed, or the job in whole.
struct JobFailure {
  AttemptEnd end;
  std::string message;
  unsigned status = 0;                               // of HTTP, if an answer came
  std::string_view answer{};                         // its body; valid during the call that brought it
  std::optional<std::uint32_t> gearman_ret{};        // if the endpoint said that the job failed
  std::optional<std::chrono::milliseconds> asked{};  // to wait, by Retry-After of a status 429 or 503
};

// The exchange gave no response.
JobFailure failure_of(const http::Failure& failure);
// It gave one that is not an answer of the contract. The result views `response`.
JobFailure failure_of(const http::Response& response, const NotAnAnswer& error,
                      const config::PoolSettings& settings, std::chrono::system_clock::time_point now);
// The answer says that the job failed. At most `shown` bytes of its text are in the message. The result views
// `answer`.
JobFailure failure_of(const Answer& answer, std::size_t shown);

// Whether the endpoint may have begun with the job. That it has not read the request on a connection that
// broke at once is only likely (stale_connection): a process that was killed with the job looks the same.
bool may_have_run(http::Failure::Kind kind);

// What the metrics call the reason for which a job is held whose request may have reached the endpoint; null
// for a job whose request has not.
const char* held_for(const JobFailure& failure);

// The packets that tell gearmand of a failure with that text.
gearman::JobResult failure_result(config::FailureText setting, std::string_view text);

// Counts a job that has failed for good, `took` after it was taken.
void count_failure(metrics::FunctionMetrics& metrics, const JobFailure& failure,
                   std::chrono::steady_clock::duration took);

}  // namespace driveshaft::dispatch
