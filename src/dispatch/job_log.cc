// SPDX-License-Identifier: MIT
#include "dispatch/job_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
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

constexpr std::size_t kShownStderr = 1024;  // most bytes of a line of stderr
constexpr std::size_t kShownReason = 4096;  // longer than any reason, which is cut where it is made

// The line that is being built; its memory is used again.
std::string& empty_line() {
  thread_local std::string line;
  line.clear();
  return line;
}

void append_field(std::string& line, std::string_view name, std::string_view value, std::size_t limit) {
  line.append(name);
  text::append_value(line, value, limit);
}

void append_names(std::string& line, std::string_view what, const LoggedJob& job) {
  line.append(what);
  append_field(line, "function=", job.fields.function, 512);
  append_field(line, " handle=", job.fields.handle, 128);
  append_field(line, " unique=", job.fields.unique, 128);
  append_field(line, " pool=", job.pool, 128);
}

void append_identity(std::string& line, std::string_view what, const LoggedJob& job) {
  append_names(line, what, job);
  append_field(line, " workload=", job.fields.workload, job.shown_workload);
}

void append_number(std::string& line, std::uint64_t number, std::size_t least_digits = 1) {
  char digits[20];
  const auto size = static_cast<std::size_t>(std::to_chars(digits, std::end(digits), number).ptr - digits);
  if (size < least_digits) line.append(least_digits - size, '0');
  line.append(digits, size);
}

// Appends seconds with six decimal places. Formatting a floating-point number would take several times as
// long.
void append_duration(std::string& line, Duration took) {
  const auto microseconds = static_cast<std::uint64_t>(took / std::chrono::microseconds(1));
  line.append(std::string_view(" duration="));
  append_number(line, microseconds / 1'000'000);
  line += '.';
  append_number(line, microseconds % 1'000'000, 6);
}

void append_trace(std::string& line, const LoggedJob& job) {
  line.append(std::string_view(" trace="));
  append_trace_id(line, job.trace);
}

// Appends what most lines end with.
void append_reason_and_trace(std::string& line, std::string_view reason, const LoggedJob& job) {
  append_field(line, " reason=", reason, kShownReason);
  append_trace(line, job);
}

void log_repeat(std::string_view what, const LoggedJob& job, int attempt, std::string_view reason) try {
  if (!kThreadLog.enabled(Level::info)) return;
  std::string& line = empty_line();
  append_identity(line, what, job);
  fmt::format_to(std::back_inserter(line), " attempt={}", attempt);
  append_reason_and_trace(line, reason, job);
  kThreadLog.write(Level::info, line);
} catch (const std::bad_alloc&) {
}

}  // namespace

// A line is lost if there is no memory for it, but no job is: so none of these functions throws.

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
  line.append(std::string_view(" return_code="));
  append_number(line, answer.gearman_ret);
  append_field(line, " response_string=", answer.response_string, job.shown_workload);
  append_duration(line, took);
  append_trace(line, job);
  kThreadLog.write(level, line);
} catch (const std::bad_alloc&) {
}

void log_retry(const LoggedJob& job, int attempt, int of, Duration next_in, std::string_view reason) try {
  if (!kThreadLog.enabled(Level::warn)) return;
  std::string& line = empty_line();
  append_identity(line, "Trying job again: ", job);
  fmt::format_to(std::back_inserter(line), " attempt={} of={} next_in={:.3f}", attempt, of, seconds(next_in));
  append_reason_and_trace(line, reason, job);
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
  append_field(line, " uri=", uri, 1024);
  append_duration(line, took);
  append_reason_and_trace(line, reason, job);
  kThreadLog.write(Level::error, line);
} catch (const std::bad_alloc&) {
}

void log_requeued(const LoggedJob& job) try {
  if (!kThreadLog.enabled(Level::info)) return;
  std::string& line = empty_line();
  append_names(line, "Given back: ", job);
  append_reason_and_trace(line, "gearmand gives it to another worker", job);
  kThreadLog.write(Level::info, line);
} catch (const std::bad_alloc&) {
}

void log_dropped(const LoggedJob& job, const gearman::Link& link) try {
  if (!kThreadLog.enabled(Level::warn)) return;
  std::string& line = empty_line();
  append_names(line, "Dropped result: ", job);
  append_field(line, " server=", net::to_string(link.server()), 256);
  append_reason_and_trace(
      line,
      link.requeues() ? "its connection to gearmand was lost: if gearmand still has the job, it runs it again"
                      : "its connection to gearmand was lost, so the job has failed",
      job);
  kThreadLog.write(Level::warn, line);
} catch (const std::bad_alloc&) {
}

void log_stderr(const LoggedJob& job, std::string_view lines) try {
  if (!kThreadLog.enabled(Level::warn)) return;
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    std::string& line = empty_line();
    append_names(line, "Script's stderr: ", job);
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
  append_reason_and_trace(line, "there was no memory for it", job);
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
