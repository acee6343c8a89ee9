// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "config/config.h"
#include "config/value.h"

// The readers of the keys `headers` and `signing_secret_file`. Nothing here shows a value.
namespace driveshaft::config {

// As a row's reader in key_table.h.
bool read_headers(const Value& value, PoolSettings& settings);
bool read_signing_file(const Value& value, PoolSettings& settings);

// Values of headers are masked.
std::string headers_text(const PoolSettings& settings);

// What a URI, which stands at `value`, and the headers say of Authorization may clash.
void check_authorization(const Value& value, const net::Uri& uri, const PoolSettings& settings);

}  // namespace driveshaft::config
