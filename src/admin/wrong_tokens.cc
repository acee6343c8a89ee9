// SPDX-License-Identifier: MIT
#include "admin/wrong_tokens.h"

#include <algorithm>
#include <utility>

namespace driveshaft::admin {
namespace {

// An IPv6 client usually has a whole network of 64 bits, and can use any address in it.
std::string key_of(const asio::ip::address& client) {
  if (client.is_v4()) return client.to_string();
  auto v6 = client.to_v6();
  if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string();
  auto bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return asio::ip::address_v6(bytes).to_string();
}

}  // namespace

std::chrono::milliseconds WrongTokens::add(const asio::ip::address& client, Clock::time_point now) {
  ++unnoted_;
  const auto [place, is_new] = clients_.try_emplace(key_of(client));
  Client& known = place->second;
  if (now - known.last > kForgottenAfter) known.count = 0;
  known.last = now;
  const std::uint64_t count = ++known.count;
  if (is_new && clients_.size() > kMostAddresses) {
    clients_.erase(std::min_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
      return a.second.last < b.second.last;
    }));
  }
  if (count <= kFree) return std::chrono::milliseconds(0);
  constexpr std::uint64_t kDoublings = 10;  // more than are needed to reach the longest wait
  return std::min(kFirstWait * (1 << std::min(count - kFree - 1, kDoublings)), kLongestWait);
}

std::optional<std::uint64_t> WrongTokens::to_note(Clock::time_point now) {
  if (unnoted_ == 0 || (noted_ && now - *noted_ < kNotedEvery)) return std::nullopt;
  noted_ = now;
  return std::exchange(unnoted_, 0);
}

}  // namespace driveshaft::admin
