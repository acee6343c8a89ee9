// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

#include "base/error.h"
#include "dispatch/answer_decoder.h"
#include "http/exchange.h"

// Judges whether an endpoint's response to a sample job follows the contract. Pure.
namespace driveshaft::cli {

// The result of one sample job.
struct Outcome {
  struct Response {
    unsigned status;
    std::string body;
    bool keep_alive;
    bool retry_after;       // it has a Retry-After header
    bool streamed = false;  // it is a stream of lines; `body` has all of them
  };
  // If `timed_out` is set, no whole response came in time, and the failure here has no meaning.
  base::Result<Response, http::Failure> response;
  bool timed_out = false;
  std::chrono::nanoseconds took{};
  std::string stderr_lines = {};  // lines that a FastCGI script wrote to stderr
  bool has_begun = false;         // a byte of a response has come
  bool closed_before = false;     // the first connection closed without an answer; this is the second try
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
  bool may_be_fastcgi = false;  // plain HTTP to what may be php-fpm itself (net::Uri)
};

// Judges the response to a sample that must be answered as the contract says. `decoder` is the class that the
// daemon uses.
Remark judge(const Outcome& outcome, dispatch::AnswerDecoder& decoder, const Circumstances& circumstances);

// Judges the response to a sample that must be refused with a status 4xx.
Remark judge_refusal(const Outcome& outcome);

}  // namespace driveshaft::cli
