// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/value.h"

// The key job_processing_uri: one URI, or an array of URIs and of objects with a URI and its settings.
namespace driveshaft::config {

inline constexpr std::string_view kUriType =
    "an http://, https://, http+unix://, fcgi:// or fcgi+unix:// URI, or an array of them";

inline constexpr std::size_t kMostBackends = 64;  // in one array
inline constexpr int kMostWeight = 100;

// The kind of value of a pool's key, for key() in key_table.h.
struct EndpointValue {
  static bool read(const Value& value, EndpointConfig& endpoint);
  static std::string show(const EndpointConfig& endpoint);
};

// The same for a function's key.
struct OwnEndpointValue {
  static bool read(const Value& value, std::optional<EndpointConfig>& endpoint);
  static std::string show(const std::optional<EndpointConfig>& endpoint);
};

std::vector<std::string> describe_endpoint(const PoolConfig& before, const PoolConfig& after);
std::vector<std::string> describe_own_endpoint(const FunctionSettings& before, const FunctionSettings& after);

}  // namespace driveshaft::config
