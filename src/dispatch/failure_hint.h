// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "dispatch/attempt.h"

// What people are told of a failed job beside what happened: whether it may have run, where to look. Pure.
namespace driveshaft::dispatch {

struct FailureFacts {
  AttemptEnd end;
  unsigned status = 0;              // of HTTP, if an answer came
  std::chrono::nanoseconds took{};  // the attempt, since it was sent
  bool may_have_run = false;        // a request of it, in any attempt, may have reached an endpoint
  bool over_unix_socket = false;    // in HTTP
  bool over_fastcgi = false;
  bool is_empty = false;              // the answer has no body
  std::string_view stderr_line = {};  // the first one that a FastCGI script wrote; printable
};

// `what` with the hints behind it, as the reason that logs, page and dead letters give. As it is where the
// endpoint itself said that the job failed.
std::string explain_failure(std::string_view what, const FailureFacts& facts);

// The same without whether the job may have run: of the endpoint.
std::string explain_outage(std::string_view what, const FailureFacts& facts);

// Whether php-fpm answered that it has found no script at the path, and so has run none. `stderr_line` as
// above.
bool is_no_script(unsigned status, std::string_view stderr_line);

// The part of an answer that says most, in one printable line of at most about `limit` bytes: the first
// message of PHP, without its tags; or the title of an HTML page; else the first bytes. What stands before an
// answer that would be right without it is named, with its remedy.
std::string show_answer(std::string_view body, std::size_t limit);

}  // namespace driveshaft::dispatch
