// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "config/config.h"

// What becomes of a job when an attempt at it has ended, and what the attempt says of its endpoint. All of it
// is decided here: a table with a row for each way in which an attempt ends, and a function that reads it.
// Pure: the caller knows the time and draws the lot. docs/http-contract.md tells users the same.
namespace driveshaft::dispatch {

// How an attempt at a job ended.
enum class AttemptEnd {
  completed,          // the endpoint answered gearman_ret 0
  refused,            // the endpoint answered another gearman_ret: its own word on the job
  too_many_requests,  // HTTP status 429
  absent,             // a status of `hold_on`: a gateway says that the application is not there
  server_error,       // HTTP status 5xx, or FastCGI's FCGI_OVERLOADED and FCGI_CANT_MPX_CONN
  other_status,       // another HTTP status that is not 2xx
  empty_answer,       // status 200 without a body: the script printed nothing, or a gateway lost it
  invalid_response,   // not HTTP, not FastCGI, not the contract, or too large
  connection_lost,    // the connection broke before the response was complete
  stale_connection,   // the connection broke at once; the endpoint has most likely not read the request
  full,               // the endpoint takes no more connections now
  unreachable,        // the request never reached the endpoint: name, connect, TLS
  attempt_timeout,    // no complete response within attempt_timeout
  out_of_time,        // max_running_time is over, whatever the job was doing
  internal_error,     // memory or OpenSSL failed in this process
  pool_drains,        // it is held, and its pool takes no more jobs
  shutdown,           // the window of a shutdown is over
  cancelled,          // an operator ended it
  given_back,         // an operator ended it, for another worker
};

// What the executor does with the job.
enum class JobAction {
  deliver,     // its result goes to gearmand
  fail,        // its failure goes to gearmand, after a dead letter where one is asked for
  retry,       // it waits for `delay`, and is then sent as another attempt
  hold,        // it waits in its slot until the endpoint takes jobs again, and is then sent
  send_again,  // it is sent at once over a new connection; this is the same attempt
  resubmit,    // it is sent as soon as may be to the endpoint that its function has by now
  requeue,     // no result is sent, and gearmand gives it to another worker
  drop,        // its connection to gearmand was lost, and gearmand has given it to another worker
};

// What the attempt says of the endpoint.
enum class BackendNews {
  none,
  answered,       // it works: it gave an answer of the contract
  reached,        // somebody is there
  overloaded,     // somebody is there, and could not cope
  no_answer,      // somebody was there, and gave no answer
  broke_off,      // its connection broke before the answer was whole
  asked_to_wait,  // it wants no more jobs for a while
  absent,         // its gateway says that its application is not there; or the job crashes the application
  full,           // it takes no more connections while others are open
  unreachable,    // nobody is there
};

// What the attempt says of the deployment that runs the jobs; see breaker.h.
enum class AttemptScore { none, success, failure };

// How a failed job counts in the metrics.
enum class FailureKind {
  none,
  refused,         // the endpoint's own word
  error_answer,    // an HTTP status that is not 2xx
  invalid_answer,  // 2xx, and not what the contract asks for
  no_answer,       // none, or not the whole of one
  out_of_time,     // none in time
  internal_error,  // of this program
  cancelled,       // by an operator
};
// As people are told; out_of_time is "no answer", too.
std::string_view name_of(FailureKind kind);

// What is known of the job when the attempt ends.
struct JobHistory {
  // Attempts so far, this one among them, but without those after which the job was held.
  int attempts = 1;
  // How often the application was absent for this job although a job that was sent after its attempt before
  // has succeeded: then the job is to blame.
  int absences = 0;
  // Empty answers so far, this one among them; and whether its endpoint has ever answered a job, so that an
  // empty answer is not all that it can say.
  int empty_answers = 0;
  bool endpoint_has_answered = false;
  // Jobs that were sent again after an empty answer got another one: the script gives them, not a reload.
  bool empty_answers_are_usual = false;
  std::chrono::nanoseconds time_left{};  // of max_running_time
  bool result_wanted = true;             // its connection to gearmand was not lost
  bool data_delivered = false;           // the client has a part of the result, and would get it twice
  bool endpoint_replaced = false;        // its function has another endpoint by now, after a reload
  bool another_backend_works = false;    // of its endpoint: the job can go there
  bool server_requeues = true;           // its server gives a job without a result to another worker
};

struct AttemptDecision {
  JobAction action;
  BackendNews news;
  std::chrono::milliseconds delay{0};  // of JobAction::retry, or for which the endpoint asks
};

// `asked` is what the Retry-After of a status 429 or 503 says. `draw` is a random number in [0, 1]: jobs that
// failed together do not come back together.
AttemptDecision decide(AttemptEnd end, const JobHistory& history, const config::PoolSettings& settings,
                       double draw, std::optional<std::chrono::milliseconds> asked = std::nullopt);

// So many answers that the application is absent cost a job nothing: see JobHistory::absences.
inline constexpr int kForgivenAbsences = 2;

// So many empty answers do, of an endpoint that has answered before. See docs/http-contract.md.
inline constexpr int kForgivenEmptyAnswers = 1;

// What `end` says of the deployment.
AttemptScore score(AttemptEnd end);

// How a job counts that has finally failed by `end`.
FailureKind failure_kind(AttemptEnd end);

// What `end` is called in the jobs file's `retry` and in the metrics; nothing where no retry may follow.
std::optional<config::AttemptFailure> retried_as(AttemptEnd end);

// The end that an HTTP status other than 2xx is.
AttemptEnd end_of_status(unsigned status, const config::PoolSettings& settings);

}  // namespace driveshaft::dispatch
