// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "dispatch/trace.h"

// Makes the header lines of a request that say something about its job, each with its CRLF.
// docs/http-contract.md describes them. Pure.
namespace driveshaft::dispatch {

// Appends `bytes` as the value of a header. Visible ASCII stays, except '%'; all other bytes become %XX.
void append_header_value(std::string& out, std::string_view bytes);

// The lines of the headers that the jobs file sets.
std::string header_lines(const std::vector<config::Header>& headers);

// The lines that are the same for all jobs of a function in a pool. A pool's name is cut at 128 bytes.
std::string function_lines(std::string_view pool, std::string_view function);

// What the lines say of one request for a job.
struct AttemptFacts {
  std::string_view handle;
  std::string_view unique;
  int number;                                      // from 1
  std::chrono::system_clock::time_point deadline;  // after this time nobody waits for the answer
  const Trace& trace;
  std::uint64_t span;
};
void append_attempt_lines(std::string& out, const AttemptFacts& attempt);

}  // namespace driveshaft::dispatch
