// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "admin/reply.h"
#include "monitor/view.h"

// Makes the answers of /api/v1 from a view. No I/O. docs/openapi.yaml describes the answers.
namespace driveshaft::admin {

inline constexpr std::string_view kEventsPath = "/api/v1/events";

// Whether the request target begins with /api/. kEventsPath does not count: it is streamed.
bool is_api(std::string_view target);

// How much detail the view must have for this target.
monitor::Detail detail_for(std::string_view target);

Reply answer_api(std::string_view target, const monitor::View& view);

}  // namespace driveshaft::admin
