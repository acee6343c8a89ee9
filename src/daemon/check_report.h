// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "cli/table.h"
#include "config/config.h"

// What --check has found, as a table for people and as an exit code. Pure.
namespace driveshaft::daemon {

struct CheckRow {
  enum class Grade { good, warning, error };
  std::string what;
  std::string value;
  Grade grade = Grade::good;
  std::string text{};      // of a good one: more about it, or nothing; else a sentence with the remedy
  int exit_code = 0;       // of an error: what the start would exit with
  std::string more{};      // a command that finds out more, or nothing
  std::size_t errors = 1;  // of an error: how many were told, if it stands for several
};

CheckRow good_row(std::string what, std::string value, std::string text = {});
CheckRow warning_row(std::string what, std::string value, std::string text);
CheckRow error_row(std::string what, std::string value, int exit_code, std::string text);

// The command that has the endpoint at this URI answer sample jobs, formatted and signed as the pool's are.
std::string probe_command(const config::PoolConfig& pool, const net::Uri& uri);

// The table, the commands that find out more, and behind them whether the daemon would run.
std::vector<std::string> check_report(const std::vector<CheckRow>& rows, const cli::Style& style);

// 0 unless there are errors; of several, that of the error that scripts have been told of first all along.
int check_exit_code(const std::vector<CheckRow>& rows);

}  // namespace driveshaft::daemon
