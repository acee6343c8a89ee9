// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "dispatch/contract.h"

namespace driveshaft::dispatch {

// A job that has finally failed, for whoever looks after it.
struct DeadLetter {
  JobFields job;
  std::string_view error;
  int attempts;
  std::chrono::system_clock::time_point first;  // it was taken
  std::chrono::system_clock::time_point last;   // it failed for good
  std::string_view pool;
  std::string_view host;  // that ran it
};

// The letter as the workload of a job, on one line: the object that an endpoint gets for the job, and behind
// its fields "error", "attempts", "first_time", "last_time" (UTC, RFC 3339), "pool" and "host". Pure.
std::string encode(const DeadLetter& letter);

// A unique for its job: gearmand takes two jobs of one function and unique for the same. At most 64 bytes.
std::string new_unique();

}  // namespace driveshaft::dispatch
