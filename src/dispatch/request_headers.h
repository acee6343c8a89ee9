// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "dispatch/trace.h"

// The header lines of a request that tell of its job, each with its CRLF. Pure.
namespace driveshaft::dispatch {

// `bytes` as a header's value: visible ASCII stays, '%' and all others become %XX.
void append_header_value(std::string& out, std::string_view bytes);

// Those of the jobs file.
std::string header_lines(const std::vector<config::Header>& headers);

// Those that all jobs of a function in a pool have in common. A pool's name is cut at 128 bytes.
std::string function_lines(std::string_view pool, std::string_view function);

// One request for a job.
struct AttemptFacts {
  std::string_view handle;
  std::string_view unique;
  int number;                                      // from 1
  std::chrono::system_clock::time_point deadline;  // nobody waits for its answer any longer
  const Trace& trace;
  std::uint64_t span;
};
void append_attempt_lines(std::string& out, const AttemptFacts& attempt);

}  // namespace driveshaft::dispatch
