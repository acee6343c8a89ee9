// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
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

// A letter as it was read. The job can be submitted again: it has a function, and its unique is one that
// gearmand takes.
struct ReadLetter {
  std::string function;
  std::string handle;
  std::string unique;
  std::string workload;  // the job's own bytes
  // What is known of the failure; empty, 0 or nothing where the letter does not say it.
  std::string error;
  std::int64_t attempts = 0;
  std::optional<std::chrono::system_clock::time_point> first;
  std::optional<std::chrono::system_clock::time_point> last;
  std::string pool;
  std::string host;
};

// Reads what encode() has written, with or without what it says of the failure; or why `text` is no letter.
// Pure.
base::Result<ReadLetter> read_dead_letter(std::string_view text);

// A unique for its job: gearmand takes two jobs of one function and unique for the same. At most 64 bytes.
std::string new_unique();
// Likewise for a job that is run again and has none.
std::string new_unique_of_rerun();

}  // namespace driveshaft::dispatch
