// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace driveshaft::metrics {

// The value of the label `http_status` for an HTTP status. The fifty commonest statuses have their number
// ("404"), others their class ("5xx"), and a number that is no HTTP status has "other". So an endpoint can
// give a function no more than 56 series, whatever it answers. No status 2xx has its own number, because none
// is an error.
std::string http_status_label(int status);

}  // namespace driveshaft::metrics
