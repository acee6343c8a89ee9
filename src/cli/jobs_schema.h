// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace driveshaft::cli {

// docs/jobs.schema.json, embedded when the program was built.
std::string_view jobs_schema();

}  // namespace driveshaft::cli
