// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "cli/table.h"
#include "config/config.h"

// Makes from the findings of --check a table for people and an exit code. Pure.
namespace driveshaft::daemon {

struct CheckRow {
  enum class Grade { good, warning, error };
  std::string what;
  std::string value;
  Grade grade = Grade::good;
  std::string text{};      // of a good row: more about it, or empty; otherwise a sentence with the remedy
  int exit_code = 0;       // of an error: the exit code of a start
  std::string more{};      // a command that finds out more, or empty
  std::size_t errors = 1;  // of an error: how many errors the row stands for
};

CheckRow good_row(std::string what, std::string value, std::string text = {});
CheckRow warning_row(std::string what, std::string value, std::string text);
CheckRow error_row(std::string what, std::string value, int exit_code, std::string text);

// The `driveshaft probe` command that sends sample jobs to this URI, with the format and the signature of the
// pool's requests.
std::string probe_command(const config::PoolConfig& pool, const net::Uri& uri);

// The lines of the table, then commands that find out more, then a sentence that says whether the daemon
// would run.
std::vector<std::string> check_report(const std::vector<CheckRow>& rows, const cli::Style& style);

// 0 if there are no errors. If there are several, the code of the error that takes precedence (kByRank).
int check_exit_code(const std::vector<CheckRow>& rows);

}  // namespace driveshaft::daemon
