// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/arguments.h"
#include "net/address.h"
#include "text/secret.h"

// Which daemon a command asks on its exporter address, and what it shows to it.
namespace driveshaft::cli {

// Where a daemon's exporter is unless somebody says otherwise.
inline constexpr std::uint16_t kExporterPort = 8888;

struct Target {
  net::Address address{"127.0.0.1", kExporterPort};
  bool tls = false;
  std::string ca_file;     // of TLS: a path, of the authorities that are trusted; empty: the system's
  std::string token_file;  // a path; empty: the one that the environment names, or none

  bool operator==(const Target&) const = default;
};

inline constexpr OptionName kUrl{"url", "address"};
inline constexpr OptionName kTokenFile{"token_file", "path"};
inline constexpr OptionName kCaFile{"ca_file", "path"};

// As --exporter_addr has it, where a port alone is one of this host, or `http://host:port` or
// `https://host:port`. Sets the address, and whether it is over TLS.
base::Result<void> read_address(Target& target, std::string_view text);

// "https://host:port"
std::string to_string(const Target& target);

// The token to be shown: what --token_file names, or without it the variable DRIVESHAFT_TOKEN_FILE of the
// environment; empty if neither does. Reads the file. The error names it.
base::Result<text::Secret> token_of(const Target& target);

}  // namespace driveshaft::cli
