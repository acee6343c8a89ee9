// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "net/asio.h"

// Slows clients that show wrong tokens. No I/O and no clock.
namespace driveshaft::admin {

// Counts wrong tokens by the client's address. After a few of them each further answer to a wrong token is
// delayed. A right token is answered at once, so nobody can keep others out who share an address with them.
// Tokens are too long to be guessed at any speed; the delay only limits what the attempts cost this daemon.
class WrongTokens {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::uint64_t kFree = 3;  // wrong tokens that are answered at once
  static constexpr std::chrono::milliseconds kFirstWait{50};
  static constexpr std::chrono::milliseconds kLongestWait{1000};
  static constexpr std::chrono::minutes kForgottenAfter{10};
  // For one more, the address that was quiet for longest is forgotten.
  static constexpr std::size_t kMostAddresses = 1000;
  static constexpr std::chrono::minutes kNotedEvery{1};

  // Counts one wrong token. Returns how long its answer has to be delayed.
  std::chrono::milliseconds add(const asio::ip::address& client, Clock::time_point now);

  // The number of wrong tokens since the last note in the log, if it is time for a note: the first one is
  // noted at once, and then once a minute at most.
  std::optional<std::uint64_t> to_note(Clock::time_point now);

  std::size_t addresses() const { return clients_.size(); }

 private:
  struct Client {
    std::uint64_t count = 0;
    Clock::time_point last{};
  };

  // By address; for IPv6, by the first 64 bits of the address.
  std::unordered_map<std::string, Client> clients_;
  std::uint64_t unnoted_ = 0;
  std::optional<Clock::time_point> noted_;
};

}  // namespace driveshaft::admin
