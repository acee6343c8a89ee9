// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace driveshaft::cli {

// The text of docs/jobs.schema.json, embedded when the program is built.
std::string_view jobs_schema();

}  // namespace driveshaft::cli
