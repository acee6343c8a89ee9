// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "dispatch/answer_decoder.h"
#include "dispatch/contract.h"
#include "dispatch/trace.h"
#include "gearman/link.h"
#include "net/address.h"

// Writes all log lines about a job. docs/logging.md describes them for users. None of these functions throws:
// a line is lost if there is no memory for it.
namespace driveshaft::dispatch {

// What the lines say of the job itself. It is a view: all of it outlives the call.
struct LoggedJob {
  const JobFields& fields;
  const Trace& trace;
  std::string_view pool;
  std::size_t shown_workload;  // at most so many bytes of the workload are shown
};

using Duration = std::chrono::steady_clock::duration;

void log_started(const LoggedJob& job);
// The endpoint has answered: the job is complete, or it was refused.
void log_finished(const LoggedJob& job, const Answer& answer, Duration took);
void log_retry(const LoggedJob& job, int attempt, int of, Duration next_in, std::string_view reason);
// log_held: the job's request may have reached the endpoint; the job is held, and is sent again when the
// endpoint takes jobs. log_sent_again: the job is sent again at once over a new connection.
void log_held(const LoggedJob& job, int attempt, std::string_view reason);
void log_sent_again(const LoggedJob& job, int attempt, std::string_view reason);
void log_failed(const LoggedJob& job, std::string_view uri, Duration took, std::string_view reason);
// No result was sent, so gearmand gives the job to another worker.
void log_requeued(const LoggedJob& job);
// The job's connection to gearmand was lost before its result came.
void log_dropped(const LoggedJob& job, const gearman::Link& link);
// Logs lines that the endpoint wrote to its stderr; each has its newline.
void log_stderr(const LoggedJob& job, std::string_view lines);
void log_dead_letter_refused(const net::Address& server, std::string_view why, std::string_view letter);
// There was no memory for the job, nor for its names.
void log_no_memory_for_job();
// There was no memory for what the job had to do next.
void log_out_of_memory(const LoggedJob& job);
void log_no_memory_for_dead_letter(const LoggedJob& job);

}  // namespace driveshaft::dispatch
