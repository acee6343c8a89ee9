// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "config/key_table.h"
#include "config/value.h"
#include "net/tls_settings.h"

// The key `tls`, of a server and of a pool.
namespace driveshaft::config {

// It completes a message "expected …".
inline constexpr std::string_view kTlsType =
    "true, or an object of ca_file, certificate_file, key_file, server_name and verify";

Keys<net::TlsSettings> tls_keys();

struct Tls {
  // Does not look at the files. False: the value is not of kTlsType.
  static bool read(const Value& value, net::TlsSettings& settings);
  // The value as the file would write it, without the keys that have their defaults.
  static std::string show(const net::TlsSettings& settings);
};

}  // namespace driveshaft::config
