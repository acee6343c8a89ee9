// SPDX-License-Identifier: MIT
#include "daemon/check.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/exit_codes.h"
#include "base/stderr.h"
#include "cli/command.h"
#include "daemon/check_files.h"
#include "daemon/check_online.h"
#include "daemon/check_places.h"
#include "daemon/check_report.h"
#include "daemon/jobs_file.h"
#include "daemon/privileges.h"
#include "log/log.h"
#include "text/counted.h"

namespace driveshaft::daemon {
namespace {

using Rows = std::vector<CheckRow>;

CheckRow jobs_file_row(const std::string& path, const CheckedJobsFile& checked) {
  const auto count = [](std::size_t number, const char* of) {
    return text::counted(number, of) + ", see above";
  };
  if (!checked.good) {
    auto row = error_row("jobs file", path, base::kExitConfig, count(checked.errors, "error"));
    row.errors = checked.errors;
    return row;
  }
  return checked.warnings == 0 ? good_row("jobs file", path)
                               : warning_row("jobs file", path, count(checked.warnings, "warning"));
}

CheckRow log_row(const std::string& path) {
  try {
    log::check_logging(path);
    return good_row("log configuration", path);
  } catch (const base::StartupError& error) {
    return error_row("log configuration", path, error.exit_code(), error.what());
  }
}

// Returns the user if the process may become it.
std::optional<User> check_user(const std::string& name, Rows& rows) {
  try {
    const User user = find_user(name);
    if (const auto why = why_not_become(user); !why.empty()) {
      throw base::StartupError(base::kExitUser, why);
    }
    const AsUser tried(user);
    rows.push_back(good_row("user", name));
    return user;
  } catch (const base::StartupError& error) {
    rows.push_back(error_row("user", name, error.exit_code(), error.what()));
    return std::nullopt;
  }
}

// Writes the errors to stderr, for scripts. Errors of the jobs file are there already, line by line, and
// unreachable servers and endpoints are only in the table.
void tell_scripts(const Rows& rows) {
  for (const auto& row : rows) {
    if (row.grade != CheckRow::Grade::error || row.what == "jobs file") continue;
    if (row.exit_code == base::kExitNoAnswer) continue;
    base::write_to_stderr("driveshaft: " + row.text);
  }
}

}  // namespace

int check(const Options& options) {
  const auto jobs = check_jobs_file(options.jobs_config);
  Rows rows{jobs_file_row(options.jobs_config, jobs)};
  if (!options.log_config.empty()) rows.push_back(log_row(options.log_config));
  std::optional<User> user;
  if (!options.user.empty()) user = check_user(options.user, rows);
  if (!options.pid_file.empty()) {
    rows.push_back(check_removal(check_pid_file(options.pid_file), options.pid_file, user));
  }
  if (!options.control_socket.empty()) {
    rows.push_back(check_removal(check_control_socket(options.control_socket), options.control_socket, user));
  }
  if (options.exporter) {
    rows.push_back(check_exporter(*options.exporter, !options.exporter_certificate_file.empty()));
  }
  check_exporter_files(options, user, rows);
  if (jobs.good) {
    check_jobs_files(options.jobs_config, *jobs.good, user, rows);
    rows.push_back(check_open_files(jobs.good->config));
    if (options.check_online) {
      const AsUser as_user(user);  // the rights of a Unix socket are those of the daemon's user
      check_online(jobs.good->config, rows);
    }
  }
  tell_scripts(rows);
  if (jobs.good) fmt::print("\n");
  for (const auto& line : check_report(rows, {.color = cli::wants_color()})) fmt::print("{}\n", line);
  return check_exit_code(rows);
}

}  // namespace driveshaft::daemon
