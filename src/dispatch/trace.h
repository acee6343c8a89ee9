// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

// Ids of traces as in W3C Trace Context (https://www.w3.org/TR/trace-context/). A job begins a trace; each
// attempt is a span of it.
namespace driveshaft::dispatch {

struct Trace {
  std::uint64_t high = 0;  // high and low are the two halves of the id, which is not zero
  std::uint64_t low = 0;
  bool sampled = false;
};

// Makes a trace. `sampling` is the share of traces to be sampled, 0 … 1. A trace is sampled if the last 56
// bits of its id, read as a fraction, are below that share; so everybody who knows the id and the share comes
// to the same result. Trace Context Level 2 wants these 56 bits to be random. Ids are random but not secret.
// Only the first call in a thread makes a system call.
Trace new_trace(double sampling);

// Makes the id of a span. It is not zero.
std::uint64_t new_span();

// Appends the id as 32 hexadecimal digits.
void append_trace_id(std::string& out, const Trace& trace);

// Appends the value of the header `traceparent`, version 00.
void append_traceparent(std::string& out, const Trace& trace, std::uint64_t span);

}  // namespace driveshaft::dispatch
