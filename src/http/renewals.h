// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace driveshaft::http {

class Connection;

// Which connections are over their age, and which new ones are being opened to replace them. It decides only:
// the endpoint opens and closes connections, and a connection stands here for its identity.
class Renewals {
 public:
  static constexpr std::size_t kMost = 4;  // that are under way at once

  // Whether `age` is over the limit of a connection: from 80% to 120% of `most`, as its `share` of [0, 1)
  // says. So connections that were opened together are not replaced together. 0: there is no limit.
  static bool is_over(std::chrono::nanoseconds age, std::chrono::milliseconds most, double share);

  // Whether a new connection may be opened to replace `old`. Not while one is opened for it already.
  bool may_begin(const Connection& old) const;
  // `fresh` is being opened to replace `old`.
  void begin(Connection& old, Connection& fresh);
  // A connection is open. If it was to replace one that is still there, that one: it is to be closed as soon
  // as it is idle. Otherwise null.
  Connection* opened(const Connection& fresh);
  // A job needs to open a connection now and too many are being opened: the one that gives up its place.
  // Null: none.
  Connection* give_up_one();
  // That connection is no more, and needs no replacement. If it was to replace another, it did not open: none
  // is tried until try_again().
  void forget(const Connection& connection);
  void pause() { paused_ = true; }  // as if one had not opened
  void try_again() { paused_ = false; }

 private:
  struct Renewal {
    Connection* old = nullptr;    // null: it is no more
    Connection* fresh = nullptr;  // null: this place is free
  };

  std::array<Renewal, kMost> under_way_;
  bool paused_ = false;
};

}  // namespace driveshaft::http
