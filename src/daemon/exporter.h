// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "admin/server.h"
#include "daemon/options.h"

// What the command line says of the exporter address.
namespace driveshaft::daemon {

// Of this machine.
std::string host_name();

admin::ExporterSettings exporter_settings(const Options& options);

// What tells `driveshaft failures` where this daemon is, unless it looks there anyway.
std::string exporter_argument(const Options& options);

// A warning if it is so; else empty. Files that cannot be used are errors elsewhere.
std::string_view one_token_for_all(const Options& options);

}  // namespace driveshaft::daemon
