// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "config/config.h"
#include "daemon/check_report.h"
#include "net/address.h"

// --check: the places that a daemon has for itself alone. Another daemon that has them is a warning, as the
// check is often asked for beside it, before a restart or an upgrade; anybody else is an error.
namespace driveshaft::daemon {

CheckRow check_pid_file(const std::string& path);
CheckRow check_control_socket(const std::string& path);
CheckRow check_exporter(const net::Address& address, bool tls);
// Whether as many files may be open as that jobs file needs.
CheckRow check_open_files(const config::Config& config);

}  // namespace driveshaft::daemon
