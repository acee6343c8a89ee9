// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace driveshaft::net {

// The TLS settings for a peer, as in the jobs file. Files are in PEM, and their paths are absolute.
struct TlsSettings {
  std::string ca_file;           // the authorities that are trusted; empty: the system's
  std::string certificate_file;  // ours, with its chain, for a peer that wants one; empty: none
  std::string key_file;          // of that certificate; empty if and only if that is
  std::string server_name;  // that the peer's certificate must have; empty: the host that is connected to
  bool verify = true;       // false: any certificate is accepted

  bool operator==(const TlsSettings&) const = default;
};

}  // namespace driveshaft::net
