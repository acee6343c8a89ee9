// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/arguments.h"
#include "net/address.h"
#include "text/secret.h"

// The daemon whose exporter address a command connects to, and the token that the command sends.
namespace driveshaft::cli {

// The default port of the exporter address.
inline constexpr std::uint16_t kExporterPort = 8888;

struct Target {
  net::Address address{"127.0.0.1", kExporterPort};
  bool tls = false;
  std::string ca_file;     // path of the trusted authorities for TLS; empty: those of the system
  std::string token_file;  // path; empty: the one that the environment names, if any

  bool operator==(const Target&) const = default;
};

inline constexpr OptionName kUrl{"url", "address"};
inline constexpr OptionName kTokenFile{"token_file", "path"};
inline constexpr OptionName kCaFile{"ca_file", "path"};

// Reads an address as --exporter_addr has it (a port alone is a port of this host), or `http://host:port` or
// `https://host:port`. Sets the target's address and `tls`.
base::Result<void> read_address(Target& target, std::string_view text);

// "https://host:port"
std::string to_string(const Target& target);

// Reads the token from the file that --token_file names or, without that option, the environment variable
// DRIVESHAFT_TOKEN_FILE. Empty if neither names a file. The error names the file.
base::Result<text::Secret> token_of(const Target& target);

}  // namespace driveshaft::cli
