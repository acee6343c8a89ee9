// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "config/value.h"
#include "net/tls_settings.h"

// The key `tls`, of a server and of a pool.
namespace driveshaft::config {

// Completes "expected …".
inline constexpr std::string_view kTlsType =
    "true, or an object of ca_file, certificate_file, key_file, server_name and verify";

// Unlike elsewhere an unknown key is an error: without what it was meant to be, a connection might be less
// safe than was wanted. Whether the files can be used is not looked at. False: the value is not of kTlsType.
bool read_tls(const Value& value, net::TlsSettings& settings);

// As the file would write it, without what has its default.
std::string tls_text(const net::TlsSettings& settings);

}  // namespace driveshaft::config
