// SPDX-License-Identifier: MIT
#include "dispatch/job_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <string>

#include "base/seconds.h"
#include "log/log.h"
#include "text/printable.h"

namespace driveshaft::dispatch {
namespace {

using base::seconds;
using log::kThreadLog;
using log::Level;

constexpr std::size_t kShownStderr = 1024;  // bytes of a line

// The line being built; its memory is used again.
std::string& empty_line() {
  thread_local std::string line;
  line.clear();
  return line;
}

void append_field(std::string& line, std::string_view name, std::string_view value, std::size_t limit) {
  line.append(name);
  text::append_printable(line, value, limit);
}

void append_names(std::string& line, std::string_view what, const LoggedJob& job) {
  line.append(what);
  append_field(line, "function=", job.fields.function, 512);
  append_field(line, " handle=", job.fields.handle, 128);
  append_field(line, " unique=", job.fields.unique, 128);
}

void append_identity(std::string& line, std::string_view what, const LoggedJob& job) {
  append_names(line, what, job);
  append_field(line, " workload=", job.fields.workload, job.shown_workload);
}

void append_trace(std::string& line, const LoggedJob& job) {
  line.append(std::string_view(" trace="));
  append_trace_id(line, job.trace);
}

void log_repeat(std::string_view what, const LoggedJob& job, int attempt, std::string_view reason) try {
  if (!kThreadLog.enabled(Level::info)) return;
  std::string& line = empty_line();
  append_identity(line, what, job);
  fmt::format_to(std::back_inserter(line), " pool={} attempt={} reason={}", text::printable(job.pool, 128),
                 attempt, reason);
  append_trace(line, job);
  kThreadLog.write(Level::info, line);
} catch (const std::bad_alloc&) {
}

}  // namespace

// A line for which there is no memory is lost. This costs no job: so none of these functions throws.

void log_started(const LoggedJob& job) try {
  if (!kThreadLog.enabled(Level::info)) return;
  std::string& line = empty_line();
  append_identity(line, "Starting job: ", job);
  kThreadLog.write(Level::info, line);
} catch (const std::bad_alloc&) {
}

void log_finished(const LoggedJob& job, const Answer& answer, Duration took) try {
  const Level level = answer.gearman_ret == 0 ? Level::info : Level::warn;
  if (!kThreadLog.enabled(level)) return;
  std::string& line = empty_line();
  append_identity(line, "Finished job: ", job);
  fmt::format_to(std::back_inserter(line), " return_code={}", answer.gearman_ret);
  append_field(line, " response_string=", answer.response_string, job.shown_workload);
  fmt::format_to(std::back_inserter(line), " duration={:.6f}", seconds(took));
  append_trace(line, job);
  kThreadLog.write(level, line);
} catch (const std::bad_alloc&) {
}

void log_retry(const LoggedJob& job, int attempt, int of, Duration next_in, std::string_view reason) try {
  if (!kThreadLog.enabled(Level::warn)) return;
  std::string& line = empty_line();
  append_identity(line, "Trying job again: ", job);
  fmt::format_to(std::back_inserter(line), " pool={} attempt={} of={} next_in={:.3f} reason={}",
                 text::printable(job.pool, 128), attempt, of, seconds(next_in), reason);
  append_trace(line, job);
  kThreadLog.write(Level::warn, line);
} catch (const std::bad_alloc&) {
}

void log_held(const LoggedJob& job, int attempt, std::string_view reason) {
  log_repeat("Holding job: ", job, attempt, reason);
}

void log_sent_again(const LoggedJob& job, int attempt, std::string_view reason) {
  log_repeat("Sending job again: ", job, attempt, reason);
}

void log_failed(const LoggedJob& job, std::string_view uri, Duration took, std::string_view reason) try {
  if (!kThreadLog.enabled(Level::error)) return;
  std::string& line = empty_line();
  append_identity(line, "Failed job: ", job);
  fmt::format_to(std::back_inserter(line), " pool={} uri={} duration={:.6f} reason={}",
                 text::printable(job.pool, 128), uri, seconds(took), reason);
  append_trace(line, job);
  kThreadLog.write(Level::error, line);
} catch (const std::bad_alloc&) {
}

void log_requeued(const LoggedJob& job) try {
  if (!kThreadLog.enabled(Level::info)) return;
  std::string& line = empty_line();
  append_names(line, "Given back: ", job);
  append_trace(line, job);
  line.append("; gearmand gives it to another worker");
  kThreadLog.write(Level::info, line);
} catch (const std::bad_alloc&) {
}

void log_dropped(const LoggedJob& job, const gearman::Link& link) try {
  if (!kThreadLog.enabled(Level::warn)) return;
  std::string& line = empty_line();
  append_names(line, "Dropped result: ", job);
  append_trace(line, job);
  fmt::format_to(std::back_inserter(line), "; its connection to gearmand {} is gone, {}",
                 net::to_string(link.server()),
                 link.requeues() ? "gearmand runs the job again" : "so the job has failed");
  kThreadLog.write(Level::warn, line);
} catch (const std::bad_alloc&) {
}

void log_stderr(const LoggedJob& job, std::string_view lines) try {
  if (!kThreadLog.enabled(Level::warn)) return;
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    std::string& line = empty_line();
    append_names(line, "Script's stderr: ", job);
    append_field(line, " pool=", job.pool, 128);
    append_field(line, " text=", lines.substr(0, end), kShownStderr);
    append_trace(line, job);
    kThreadLog.write(Level::warn, line);
    lines.remove_prefix(std::min(end, lines.size() - 1) + 1);
  }
} catch (const std::bad_alloc&) {
}

void log_dead_letter_refused(const net::Address& server, std::string_view why, std::string_view letter) try {
  kThreadLog.error("Dead letter not taken by gearmand {}: {}; it was {}", net::to_string(server), why,
                   letter);
} catch (const std::bad_alloc&) {
}

void log_no_memory_for_job() try {
  kThreadLog.write(Level::error, "Failed job: there is no memory for it");
} catch (const std::bad_alloc&) {
}

void log_out_of_memory(const LoggedJob& job) try {
  std::string& line = empty_line();
  append_names(line, "Failed job: ", job);
  line.append(" reason=there was no memory for it");
  append_trace(line, job);
  kThreadLog.write(Level::error, line);
} catch (const std::bad_alloc&) {
}

void log_no_memory_for_dead_letter(const LoggedJob& job) try {
  std::string& line = empty_line();
  append_names(line, "Dead letter not written: no memory for it; ", job);
  kThreadLog.write(Level::error, line);
} catch (const std::bad_alloc&) {
}

}  // namespace driveshaft::dispatch
