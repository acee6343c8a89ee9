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

// --check: checks the files that the daemon reads. `user` is the user that the daemon becomes: the files are
// read with that user's rights. Nothing: the daemon stays the user that starts it.
namespace driveshaft::daemon {

// Checks the files of the tokens, and of the exporter's certificate and key.
void check_exporter_files(const Options& options, const std::optional<User>& user,
                          std::vector<CheckRow>& rows);

// Checks the files that a valid jobs file names.
void check_jobs_files(const std::string& jobs_file, const config::Parsed& parsed,
                      const std::optional<User>& user, std::vector<CheckRow>& rows);

// The row that says until when a certificate is valid. Pure.
CheckRow certificate_row(std::string what, const net::Certificate& certificate,
                         std::chrono::system_clock::time_point now);

}  // namespace driveshaft::daemon
