// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/value.h"

// The keys `headers` and `signing_secret_file`. Nothing here shows a secret.
namespace driveshaft::config {

struct Headers {
  // Adds headers to `headers`. One of the same name is replaced; null removes it.
  static bool read(const Value& value, std::vector<Header>& headers);
  static std::string show(const std::vector<Header>& headers);  // values are masked
};

struct SigningFile {
  static bool read(const Value& value, Signing& signing);
  static std::string show(const Signing& signing);
};

// The lines of the log for a change, also if only secrets have changed, which are not shown.
std::vector<std::string> describe_headers(const PoolSettings& before, const PoolSettings& after);
std::vector<std::string> describe_signing(const PoolSettings& before, const PoolSettings& after);

// Adds an error at `value`, which is the URI's, if both the URI and the headers set Authorization.
void check_authorization(const Value& value, const net::Uri& uri, const PoolSettings& settings);

}  // namespace driveshaft::config
