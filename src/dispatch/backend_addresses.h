// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "net/asio.h"

namespace driveshaft::dispatch {

enum class Family { ipv4, ipv6 };

// The addresses of one backend, which are tried in this order.
using BackendAddresses = std::vector<asio::ip::address>;

inline constexpr std::size_t kMostAddresses = 64;  // a name stands for at most so many backends

// The backends that a name with the addresses `found` stands for. Pure.
//
// Nothing tells which IPv4 and which IPv6 address belong to the same host. So the family of the system's
// first choice (RFC 6724), which comes first in `found`, decides: if it has one address, the name is one
// backend, and all other addresses are tried when that one does not answer. If it has several, each is a
// backend, and the addresses of the other family are taken for the same hosts and left out. `avoided` does
// not decide if there is another family.
std::vector<BackendAddresses> backends_of(const std::vector<asio::ip::address>& found,
                                          std::optional<Family> avoided = std::nullopt);

Family family_of(const asio::ip::address& address);

}  // namespace driveshaft::dispatch
