// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "daemon/check_report.h"
#include "daemon/privileges.h"
#include "net/address.h"

// --check: checks the places of which only one daemon can have each. If a running daemon has a place, this is
// a warning: people often run the check before they restart or upgrade that daemon. If another program has
// it, this is an error. If this user may not see which program it is, this is a warning.
namespace driveshaft::daemon {

CheckRow check_pid_file(const std::string& path);
CheckRow check_control_socket(const std::string& path);
// Makes a good row of one of these two a warning if `user`, whom the daemon becomes, may not remove a file
// from the directory of `path`.
CheckRow check_removal(CheckRow row, const std::string& path, const std::optional<User>& user);
CheckRow check_exporter(const net::Address& address, bool tls);
// Checks whether the process may open as many files as this jobs file needs. Raises the process's own limit.
CheckRow check_open_files(const config::Config& config);

}  // namespace driveshaft::daemon
