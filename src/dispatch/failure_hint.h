// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "dispatch/attempt.h"

// Adds hints for people to the reason of a failure: whether the job may have run, and where to look. Pure.
namespace driveshaft::dispatch {

// Why nginx answers with a 502, and where to look.
inline constexpr std::string_view kBadGateway =
    "nginx answers so when it does not reach php-fpm, when php-fpm and its listen backlog are full, or when "
    "the process there has died: its error log says which";

struct FailureFacts {
  AttemptEnd end;
  unsigned status = 0;              // HTTP status, or 0 if no answer came
  std::chrono::nanoseconds took{};  // duration of the attempt since it was sent
  bool may_have_run = false;        // a request of the job, in any attempt, may have reached an endpoint
  bool over_unix_socket = false;    // HTTP over a Unix socket
  bool over_fastcgi = false;
  bool may_be_fastcgi = false;        // plain HTTP to what may be php-fpm itself (net::Uri)
  bool has_begun = false;             // a byte of a response has come
  bool is_empty = false;              // the answer has no body
  std::string_view location = {};     // value of the header Location, or empty
  std::string_view stderr_line = {};  // the first line that a FastCGI script wrote to stderr; printable
};

// Appends the hints to `what`. The result is the reason that logs, page and dead letters show. If the
// endpoint itself reported that the job failed, there are no hints.
std::string explain_failure(std::string_view what, const FailureFacts& facts);

// The same for the trouble of an endpoint: the result does not say whether a job may have run.
std::string explain_outage(std::string_view what, const FailureFacts& facts);

// Whether php-fpm answered that there is no script at the path; if so, no script has run. `stderr_line` is
// that of FailureFacts.
bool is_no_script(unsigned status, std::string_view stderr_line);

// The most informative part of an answer, in one printable line of at most about `limit` bytes: the first
// message of PHP, without its tags; or the title of an HTML page; or the first bytes. If an answer would be
// valid without the text before its object, the result names that text and the remedy.
std::string show_answer(std::string_view body, std::size_t limit);

}  // namespace driveshaft::dispatch
