// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "admin/server.h"
#include "daemon/options.h"

// Reads the options of the exporter address.
namespace driveshaft::daemon {

// This machine's name, or an empty text if it is unknown.
std::string host_name();

admin::ExporterSettings exporter_settings(const Options& options);

// The argument, with a space before it, that tells `driveshaft failures` where this daemon is; empty if the
// command looks there by default.
std::string exporter_argument(const Options& options);

// A warning if both token files have the same token; otherwise empty. A file that cannot be read gives no
// warning: it is reported elsewhere. Blocks.
std::string_view one_token_for_all(const Options& options);

}  // namespace driveshaft::daemon
