// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "config/config.h"

// Decides what becomes of a job when an attempt at it has ended, and what the attempt says of the backend. A
// table has a row for each way in which an attempt can end, and decide() reads it. Pure: the caller passes
// the time that is left and a random number. docs/http-contract.md describes the same rules for users.
namespace driveshaft::dispatch {

// How an attempt at a job ended.
enum class AttemptEnd {
  completed,          // the endpoint answered gearman_ret 0
  refused,            // the endpoint answered another gearman_ret: it says itself that the job failed
  too_many_requests,  // HTTP status 429
  absent,             // a status of `hold_on`: a gateway says that the application is absent
  server_error,       // another HTTP status 5xx, or FCGI_OVERLOADED or FCGI_CANT_MPX_CONN of FastCGI
  other_status,       // another HTTP status that is not 2xx
  empty_answer,       // status 200 without a body: the script wrote nothing, or a gateway lost its output
  invalid_response,   // the answer is no HTTP, no FastCGI, not as the contract says, or too large
  connection_lost,    // the connection broke before the response was complete
  stale_connection,   // a connection broke at once; most likely the endpoint has not read the request
  full,               // the endpoint takes no more connections now
  unreachable,        // the request did not reach the endpoint: look-up, connect or TLS failed
  attempt_timeout,    // no complete response came within attempt_timeout
  out_of_time,        // max_running_time is over, whatever the job was waiting for
  internal_error,     // this process had no memory, or OpenSSL failed
  pool_drains,        // the job was held when its pool began to drain
  shutdown,           // the window of a shutdown is over
  cancelled,          // an operator cancelled the job
  given_back,         // an operator gave the job to another worker
};

// What happens to the job.
enum class JobAction {
  deliver,     // its result is sent to gearmand
  fail,        // its failure is sent to gearmand, after a dead letter if the pool has a dead letter function
  retry,       // it waits for `delay`, and is then sent; this counts as another attempt
  hold,        // it waits in its slot until the endpoint takes jobs again, and is then sent
  send_again,  // it is sent at once over a new connection; `retry` does not count this
  resubmit,    // it is sent as soon as a permit is free, to the endpoint that its function has now
  requeue,     // no result is sent, so gearmand gives it to another worker
  drop,        // its connection to gearmand was lost, so gearmand has given it to another worker
};

// What the attempt says of the backend.
enum class BackendNews {
  none,
  answered,       // the backend works: it gave an answer of the contract
  reached,        // the backend can be reached
  overloaded,     // the backend can be reached, but is overloaded
  no_answer,      // the backend was reached, but gave no answer
  empty,          // somebody gave an answer without content
  broke_off,      // the connection broke before the answer was complete
  asked_to_wait,  // the backend asked to wait (Retry-After)
  absent,         // the gateway says that the application is absent, or an empty answer suggests it
  full,           // the backend takes no more connections while others are open
  unreachable,    // the backend cannot be reached
};

// Whether the attempt shows that the deployed code works; see breaker.h.
enum class AttemptScore { none, success, failure };

// How a failed job counts in the metrics.
enum class FailureKind {
  none,
  refused,         // the endpoint answered that the job failed
  error_answer,    // the endpoint answered with an HTTP status that is not 2xx
  invalid_answer,  // the endpoint answered 2xx, but not as the contract says
  no_answer,       // no answer came, or only a part of it
  out_of_time,     // no answer came in time
  internal_error,  // a failure of this program
  cancelled,       // an operator cancelled the job
};
// The name that people are shown. out_of_time has the name of no_answer.
std::string_view name_of(FailureKind kind);

// What decide() has to know about the job when the attempt ends.
struct JobHistory {
  // Attempts so far, this one included. Attempts after which the job was held or sent again do not count.
  int attempts = 1;
  // How often the application was absent for this job although, since the absence before, a job that was sent
  // later has succeeded. Then this job is to blame.
  int absences = 0;
  // How many attempts in a row have ended by AttemptEnd::stale_connection, this one included.
  int stale_connections = 0;
  // Empty answers so far, this one included.
  int empty_answers = 0;
  bool endpoint_has_answered = false;
  // Other jobs got empty answers again when they were sent a second time. So the script gives such answers,
  // and it is not only that it is being reloaded.
  bool empty_answers_are_usual = false;
  std::chrono::nanoseconds time_left{};  // time until max_running_time is over
  bool result_wanted = true;             // the job's connection to gearmand was not lost
  bool data_delivered = false;           // the client has got data or a warning, and would get it twice
  // The job's backend was removed by a reload, or its function has another endpoint now.
  bool endpoint_replaced = false;
  bool another_backend_works = false;  // another backend of the endpoint works, so the job can go there
  bool server_requeues = true;         // the job's server gives a job without a result to another worker
};

struct AttemptDecision {
  JobAction action;
  BackendNews news;
  // JobAction::retry: before the next attempt; BackendNews::asked_to_wait: for which the endpoint asks.
  std::chrono::milliseconds delay{0};
};

// `asked` is the time in the Retry-After header of a status 429 or 503. `draw` is a random number in [0, 1]:
// it spreads the retries of jobs that failed at the same time.
AttemptDecision decide(AttemptEnd end, const JobHistory& history, const config::PoolSettings& settings,
                       double draw, std::optional<std::chrono::milliseconds> asked = std::nullopt);

// The job is still held while it is to blame for no more absences than this; see JobHistory::absences.
inline constexpr int kForgivenAbsences = 2;

// After so many stale connections in a row the job is still sent again: at once after the first one, and when
// the backend has settled after the others. A process that ends may break several: one that it has kept, and
// then new ones that it has not accepted.
inline constexpr int kForgivenStaleConnections = 3;
// AttemptEnd::connection_lost instead of a stale connection for which the job is not sent again, because the
// job itself may make the process die; otherwise `end`.
AttemptEnd end_after(const JobHistory& history, const config::PoolSettings& settings, AttemptEnd end);

// After so many empty answers the job is still held, if the endpoint has answered a job before. See
// docs/http-contract.md.
inline constexpr int kForgivenEmptyAnswers = 1;

// Whether `end` shows that the deployed code works.
AttemptScore score(AttemptEnd end);

// How a job counts that has failed for good by `end`.
FailureKind failure_kind(AttemptEnd end);

// The name of `end` in the `retry` of the jobs file and in the metrics; nothing if no retry may follow.
std::optional<config::AttemptFailure> retried_as(AttemptEnd end);

// The end of an attempt that got an HTTP status other than 2xx.
AttemptEnd end_of_status(unsigned status, const config::PoolSettings& settings);

}  // namespace driveshaft::dispatch
