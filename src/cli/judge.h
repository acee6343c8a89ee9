// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

#include "base/error.h"
#include "dispatch/contract.h"
#include "http/exchange.h"

// Whether an endpoint's response to a sample job follows the contract. Pure.
namespace driveshaft::cli {

// How a sample went.
struct Outcome {
  struct Response {
    unsigned status;
    std::string body;
    bool keep_alive;
    bool retry_after;       // it has a Retry-After
    bool streamed = false;  // it is a stream of lines, all of them in `body`
  };
  // A failure, but for `timed_out`: no whole response came in time.
  base::Result<Response, http::Failure> response;
  bool timed_out = false;
  std::chrono::nanoseconds took{};
  std::string stderr_lines = {};  // lines that a FastCGI script wrote to stderr
  bool closed_before = false;     // a first connection closed before an answer; this is of the second one
};

struct Remark {
  enum class Grade { good, note, finding };
  Grade grade;
  std::string what;
  std::string remedy;  // empty if there is nothing to do
};

struct Circumstances {
  std::chrono::milliseconds timeout;
  bool is_signed;
  bool is_multipart;
  bool is_fastcgi = false;
  bool is_http_over_unix = false;
};

// A sample that must be answered as the contract has it; `decoder` is the daemon's own.
Remark judge(const Outcome& outcome, dispatch::AnswerDecoder& decoder, const Circumstances& circumstances);

// A sample that must be refused with a status 4xx.
Remark judge_refusal(const Outcome& outcome);

}  // namespace driveshaft::cli
