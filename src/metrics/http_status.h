// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace driveshaft::metrics {

// How a status of HTTP is named in the label `http_status`: the fifty commonest by their number ("404"),
// others by their class ("5xx"), and what is no status as "other". So an endpoint, whatever it answers, gives
// a function no more than 56 series. Of 2xx none has a number of its own, as none is an error.
std::string http_status_label(int status);

}  // namespace driveshaft::metrics
