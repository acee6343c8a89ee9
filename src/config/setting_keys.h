// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/value.h"

// The keys that a pool may give itself and the top level may give for all pools.
namespace driveshaft::config {

struct SettingInfo {
  std::string_view name;
  std::string_view type;    // completes "expected …"
  std::string value;        // as the file would write it
  std::string_view reload;  // what a reload does with a new value
};

// Every such key with its value, in the order of its table.
std::vector<SettingInfo> setting_infos(const PoolSettings& settings);

// Their names alone, behind those already in `names`.
void append_setting_names(std::vector<std::string_view>& names);

// Reads those that `object` has.
void read_settings(const Value& object, PoolSettings& settings);

}  // namespace driveshaft::config
