// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace driveshaft::http {

class Connection;

// Which connections are over their age, and which new ones are being opened to replace them. Pure: the
// endpoint opens and closes connections. A connection is only identified here and never called.
class Renewals {
 public:
  static constexpr std::size_t kMost = 4;  // replacements in progress at once

  // Whether `age` is over the limit of a connection: from 80% to 120% of `most`, as its `share` of [0, 1)
  // says. So connections that were opened together are not replaced together. 0: there is no limit.
  static bool is_over(std::chrono::nanoseconds age, std::chrono::milliseconds most, double share);

  // Whether a new connection may be opened to replace `old`. Not while one is opened for it already.
  bool may_begin(const Connection& old) const;
  // `fresh` is being opened to replace `old`.
  void begin(Connection& old, Connection& fresh);
  // A connection is open. Returns the connection that it replaces, which is to be closed as soon as it is
  // idle. Null: it replaces none, or that one is closed already.
  Connection* opened(const Connection& fresh);
  // A job needs to open a connection now, and too many are being opened. Returns a new connection that the
  // caller closes in its favour, or null.
  Connection* give_up_one();
  // The connection is closed, and needs no replacement. If it was to replace another one, it did not open,
  // and may_begin() is false until try_again().
  void forget(const Connection& connection);
  void pause() { paused_ = true; }  // as after a new connection that did not open
  void try_again() { paused_ = false; }

 private:
  struct Renewal {
    Connection* old = nullptr;    // null: it is closed
    Connection* fresh = nullptr;  // null: this entry is free
  };

  std::array<Renewal, kMost> under_way_;
  bool paused_ = false;
};

}  // namespace driveshaft::http
