// SPDX-License-Identifier: MIT
#include "daemon/check_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/exit_codes.h"
#include "cli/shell_word.h"
#include "config/keys.h"
#include "text/counted.h"

namespace driveshaft::daemon {
namespace {

using Grade = CheckRow::Grade;

// If there are several errors, the exit code is the one that comes first here. Scripts rely on this order.
constexpr int kByRank[] = {base::kExitUsage,   base::kExitLogConfig, base::kExitConfig,  base::kExitUser,
                           base::kExitPidFile, base::kExitExporter,  base::kExitNoAnswer};

cli::Cell verdict(const CheckRow& row) {
  switch (row.grade) {
    case Grade::good:
      return {row.text.empty() ? "good" : "good: " + row.text, cli::kGreen};
    case Grade::warning:
      return {"warning: " + row.text, cli::kYellow};
    case Grade::error:
      return {"error: " + row.text, cli::kRed};
  }
  return {};
}

std::string last_line(const std::vector<CheckRow>& rows) {
  std::size_t errors = 0;
  std::size_t unanswered = 0;
  for (const auto& row : rows) {
    if (row.grade != Grade::error) continue;
    errors += row.errors;
    if (row.exit_code == base::kExitNoAnswer) ++unanswered;
  }
  if (errors == 0) return "would run";
  // The daemon would start nevertheless, and would go on trying to reach them.
  if (errors == unanswered) {
    return fmt::format("would run, but {} of the job servers and endpoints cannot be reached", errors);
  }
  return "would not run: " + text::counted(errors, "error");
}

// The first few commands only, because they differ little.
std::vector<std::string> commands(const std::vector<CheckRow>& rows) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> lines;
  std::size_t count = 0;
  for (const auto& row : rows) {
    if (row.more.empty() || ++count > kShown) continue;
    if (lines.empty())
      lines.emplace_back("To see whether its answers are right, send an endpoint sample jobs:");
    lines.push_back("  " + row.more);
  }
  if (count > kShown)
    lines.push_back(fmt::format("  and so on, for {}", text::counted(count - kShown, "other endpoint")));
  return lines;
}

}  // namespace

std::string probe_command(const config::PoolConfig& pool, const net::Uri& uri) {
  std::string command = "driveshaft probe " + cli::shell_word(uri.display);
  const auto add = [&](std::string_view option, std::string_view value) {
    if (!value.empty()) command += fmt::format(" --{} {}", option, cli::shell_word(value));
  };
  const auto format = pool.settings.request_format;
  add("format", format == config::RequestFormat::json ? "" : config::name_of(format));
  add("secret-file", pool.settings.signing.file);
  if (uri.is_fastcgi()) add("document-root", pool.fastcgi_document_root);
  if (uri.scheme == net::Uri::Scheme::https) add("ca-file", pool.endpoint_tls.ca_file);
  return command;
}

CheckRow good_row(std::string what, std::string value, std::string text) {
  return {std::move(what), std::move(value), Grade::good, std::move(text)};
}

CheckRow warning_row(std::string what, std::string value, std::string text) {
  return {std::move(what), std::move(value), Grade::warning, std::move(text)};
}

CheckRow error_row(std::string what, std::string value, int exit_code, std::string text) {
  return {std::move(what), std::move(value), Grade::error, std::move(text), exit_code};
}

std::vector<std::string> check_report(const std::vector<CheckRow>& rows, const cli::Style& style) {
  cli::Table table({"WHAT", "VALUE", "VERDICT"}, 2);
  for (const auto& row : rows) table.add({{row.what}, {row.value}, verdict(row)});
  auto lines = table.lines(style);
  for (auto& line : commands(rows)) lines.push_back(std::move(line));
  lines.push_back(last_line(rows));
  return lines;
}

int check_exit_code(const std::vector<CheckRow>& rows) {
  for (const int code : kByRank) {
    const bool found = std::any_of(rows.begin(), rows.end(), [&](const CheckRow& row) {
      return row.grade == Grade::error && row.exit_code == code;
    });
    if (found) return code;
  }
  return base::kExitOk;
}

}  // namespace driveshaft::daemon
