// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "config/parse.h"
#include "daemon/check_report.h"
#include "daemon/options.h"
#include "daemon/privileges.h"
#include "net/tls.h"

// --check: the files that the daemon reads, with the rights of the user that it becomes, if any.
namespace driveshaft::daemon {

// Tokens, and the exporter's certificate with its key.
void check_exporter_files(const Options& options, const std::optional<User>& user,
                          std::vector<CheckRow>& rows);

// What a good jobs file names.
void check_jobs_files(const std::string& jobs_file, const config::Parsed& parsed,
                      const std::optional<User>& user, std::vector<CheckRow>& rows);

// Until when it holds. Pure.
CheckRow certificate_row(std::string what, const net::Certificate& certificate,
                         std::chrono::system_clock::time_point now);

}  // namespace driveshaft::daemon
