// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "admin/routes.h"
#include "monitor/view.h"

// What /api/v1 answers, from what is known. No I/O. docs/openapi.yaml describes it.
namespace driveshaft::admin {

inline constexpr std::string_view kEventsPath = "/api/v1/events";

// Whether that target is one of /api/, kEventsPath aside.
bool is_api(std::string_view target);

// What the view has to have for it.
monitor::Detail detail_for(std::string_view target);

Reply answer_api(std::string_view target, const monitor::View& view);

// {"error": "…"}
Reply api_error(unsigned status, std::string_view what);

}  // namespace driveshaft::admin
