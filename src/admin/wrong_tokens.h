// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "net/asio.h"

// How clients that show wrong tokens are slowed. No I/O and no clock.
namespace driveshaft::admin {

// Counts wrong tokens by the client's address. Who tries some has to wait for each further answer; the right
// token is never waited for, so nobody can keep those out who share an address with them. Tokens are too long
// to be guessed at any speed: this keeps guessing from costing much here.
class WrongTokens {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::uint64_t kFree = 3;  // mistakes, which are answered at once
  static constexpr std::chrono::milliseconds kFirstWait{50};
  static constexpr std::chrono::milliseconds kLongestWait{1000};
  static constexpr std::chrono::minutes kForgottenAfter{10};
  static constexpr std::size_t kMostAddresses = 1000;  // then the one that was quiet for longest is forgotten
  static constexpr std::chrono::minutes kNotedEvery{1};

  // Counts one. How long its answer has to wait.
  std::chrono::milliseconds add(const asio::ip::address& client, Clock::time_point now);

  // How many there were since the log was last told, if it is to be told now: at once of the first, and then
  // once a minute at most.
  std::optional<std::uint64_t> to_note(Clock::time_point now);

  std::size_t addresses() const { return clients_.size(); }

 private:
  struct Client {
    std::uint64_t count = 0;
    Clock::time_point last{};
  };

  std::unordered_map<std::string, Client> clients_;  // by address; of IPv6, by the network of 64 bits
  std::uint64_t unnoted_ = 0;
  std::optional<Clock::time_point> noted_;
};

}  // namespace driveshaft::admin
