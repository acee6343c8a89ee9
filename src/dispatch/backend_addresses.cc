// SPDX-License-Identifier: MIT
#include "dispatch/backend_addresses.h"

#include <algorithm>

namespace driveshaft::dispatch {

Family family_of(const asio::ip::address& address) { return address.is_v6() ? Family::ipv6 : Family::ipv4; }

std::vector<BackendAddresses> backends_of(const std::vector<asio::ip::address>& found,
                                          std::optional<Family> avoided) {
  if (found.empty()) return {};
  const auto first = std::find_if(found.begin(), found.end(), [&](const asio::ip::address& address) {
    return family_of(address) != avoided;
  });
  const Family chosen = family_of(first == found.end() ? found.front() : *first);
  BackendAddresses own;
  BackendAddresses others;
  for (const auto& address : found) (family_of(address) == chosen ? own : others).push_back(address);
  std::sort(own.begin(), own.end());  // servers give them in a different order each time
  std::sort(others.begin(), others.end());
  if (own.size() == 1) {
    own.insert(own.end(), others.begin(), others.end());
    return {own};
  }
  std::vector<BackendAddresses> backends;
  for (std::size_t i = 0; i < std::min(own.size(), kMostAddresses); ++i) backends.push_back({own[i]});
  return backends;
}

}  // namespace driveshaft::dispatch
