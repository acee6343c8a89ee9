// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace driveshaft::net {

// A TCP address by name or literal, in one spelling: names in lower case, IPv6 literals in their shortest
// form and without brackets. So two addresses that differ only in spelling compare equal.
struct Address {
  std::string host;
  std::uint16_t port = 0;

  bool operator==(const Address&) const = default;
};

// Reads `host`, `host:port`, `v4:port`, `[v6]`, `[v6]:port`; an IPv6 literal without brackets (two or more
// colons) has no port. Without a port the address gets `default_port`. An IPv6 literal may carry a zone:
// `[fe80::1%eth0]`. The error says what was expected, what was found and what is wrong with it.
base::Result<Address> parse_address(std::string_view text, std::uint16_t default_port);

// Whether the host is an IP address, which need not be looked up, rather than a name. An IPv6 literal is
// without brackets, and may carry a zone.
bool is_ip_address(const std::string& host);

// `host:port`, with brackets around an IPv6 literal.
std::string to_string(const Address& address);

// The parts of an address, for other notations (uri.cc). The errors give the reason only ("the host is
// empty").
base::Result<std::uint16_t> parse_port(std::string_view text);
base::Result<std::string> parse_host_name(
    std::string_view text);                                   // in lower case; IPv4 literals pass as names
base::Result<std::string> parse_ipv6(std::string_view text);  // without brackets; in its shortest form

}  // namespace driveshaft::net
