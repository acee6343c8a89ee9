// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "admin/routes.h"
#include "monitor/view.h"

// Makes the answers of /api/v1 from a view. No I/O. docs/openapi.yaml describes the answers.
namespace driveshaft::admin {

inline constexpr std::string_view kEventsPath = "/api/v1/events";

// Whether that target is one of /api/, kEventsPath aside.
bool is_api(std::string_view target);

// The detail that the view needs for this target.
monitor::Detail detail_for(std::string_view target);

Reply answer_api(std::string_view target, const monitor::View& view);

}  // namespace driveshaft::admin
