// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/key_table.h"
#include "config/value.h"

// The entries of jobs_list: a function's name, or an object of the name and the function's own settings.
namespace driveshaft::config {

// The keys of an entry, but for the name.
Keys<FunctionSettings> function_keys();

// The functions of the row of jobs_list; see Key in key_table.h.
bool read_jobs_list(const Value& value, PoolConfig& pool);
std::string jobs_list_text(const PoolConfig& pool);
bool same_jobs_list(const PoolConfig& one, const PoolConfig& other);
std::vector<std::string> describe_jobs_list(const PoolConfig& before, const PoolConfig& after);

// The settings that a function has, each as " key value".
std::string own_settings_text(const FunctionSettings& settings);

}  // namespace driveshaft::config
