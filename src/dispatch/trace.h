// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

// W3C Trace Context: a job begins a trace, an attempt is a span of it.
namespace driveshaft::dispatch {

struct Trace {
  std::uint64_t high = 0;  // the id; not zero in whole
  std::uint64_t low = 0;
  bool sampled = false;
};

// `sampling`: the share of traces to be sampled, 0 … 1. The id decides, its last 56 bits as a fraction being
// below that share, so that everybody who knows the share and the id knows the verdict. Random, not secret;
// no system call.
Trace new_trace(double sampling);

// Not zero.
std::uint64_t new_span();

// 32 hexadecimal digits.
void append_trace_id(std::string& out, const Trace& trace);

// The value of `traceparent`, version 00.
void append_traceparent(std::string& out, const Trace& trace, std::uint64_t span);

}  // namespace driveshaft::dispatch
