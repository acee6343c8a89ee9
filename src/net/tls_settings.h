// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace driveshaft::net {

// The TLS settings for a peer, as in the jobs file. Files are in PEM, and their paths are absolute.
struct TlsSettings {
  std::string ca_file;           // the authorities that are trusted; empty: the system's
  std::string certificate_file;  // ours, with its chain, for a peer that requires one; empty: none
  std::string key_file;          // of that certificate; empty if and only if certificate_file is
  std::string server_name;       // the name in the peer's certificate; empty: the host of the connection
  bool verify = true;            // false: any certificate is accepted

  bool operator==(const TlsSettings&) const = default;
};

}  // namespace driveshaft::net
