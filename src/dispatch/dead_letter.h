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

// What a dead letter says of a job that has failed for good.
struct DeadLetter {
  JobFields job;
  std::string_view error;
  int attempts;
  std::chrono::system_clock::time_point first;  // when the job was taken
  std::chrono::system_clock::time_point last;   // when the job failed for good
  std::string_view pool;
  std::string_view host;  // the machine that ran the job
};

// Writes the letter as the workload of a job, in one line of JSON: the object that an endpoint gets for the
// failed job, with "error", "attempts", "first_time", "last_time" (UTC, RFC 3339), "pool" and "host" added.
// docs/guides/dead-letters.md describes it. Pure.
std::string encode(const DeadLetter& letter);

// A letter that was read. The job can be submitted again: it has a function, and its unique is one that
// gearmand takes.
struct ReadLetter {
  std::string function;
  std::string handle;
  std::string unique;
  std::string workload;  // the job's own bytes
  // What the letter says of the failure; empty, 0 or nothing if it does not say it.
  std::string error;
  std::int64_t attempts = 0;
  std::optional<std::chrono::system_clock::time_point> first;
  std::optional<std::chrono::system_clock::time_point> last;
  std::string pool;
  std::string host;
};

// Reads what encode() has written; the fields about the failure may be missing. The error says why `text` is
// no letter. Pure.
base::Result<ReadLetter> read_dead_letter(std::string_view text);

// Makes a unique for the job of a dead letter. It is random, because gearmand takes two jobs with the same
// function and unique for one job. At most 64 bytes.
std::string new_unique();
// Makes a unique for a job that is run again and has none.
std::string new_unique_of_rerun();

}  // namespace driveshaft::dispatch
