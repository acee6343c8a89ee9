// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/value.h"

// The entries of jobs_list: a function's name, or an object of it and of what it has of its own.
namespace driveshaft::config {

inline constexpr std::string_view kUriType =
    "an http://, https://, http+unix://, fcgi:// or fcgi+unix:// URI";
bool read_uri(const Value& value, net::Uri& uri);

bool read_jobs_list(const Value& value, Pool& pool);

// The list as the file would write it, passwords masked: JSON.
std::string jobs_list_text(const Pool& pool);

// Every setting of a function with its value as the file would write it; one that it has not is "none".
std::vector<std::pair<std::string_view, std::string>> function_settings_text(
    const FunctionSettings& settings);

}  // namespace driveshaft::config
