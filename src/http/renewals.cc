// SPDX-License-Identifier: MIT
#include "http/renewals.h"

#include <algorithm>
#include <utility>

namespace driveshaft::http {

// In floating point, because no limit overflows it.
bool Renewals::is_over(std::chrono::nanoseconds age, std::chrono::milliseconds most, double share) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  return most > most.zero() && Milliseconds(age) > Milliseconds(most) * (0.8 + 0.4 * share);
}

bool Renewals::may_begin(const Connection& old) const {
  const auto free = [](const Renewal& one) { return !one.fresh; };
  const auto is_of_old = [&](const Renewal& one) { return one.old == &old; };
  return !paused_ && std::any_of(under_way_.begin(), under_way_.end(), free) &&
         std::none_of(under_way_.begin(), under_way_.end(), is_of_old);
}

void Renewals::begin(Connection& old, Connection& fresh) {
  for (Renewal& one : under_way_) {
    if (one.fresh) continue;
    one = {&old, &fresh};
    return;
  }
}

Connection* Renewals::opened(const Connection& fresh) {
  for (Renewal& one : under_way_) {
    if (one.fresh == &fresh) return std::exchange(one, {}).old;
  }
  return nullptr;
}

Connection* Renewals::give_up_one() {
  for (Renewal& one : under_way_) {
    if (one.fresh) return std::exchange(one, {}).fresh;
  }
  return nullptr;
}

void Renewals::forget(const Connection& connection) {
  for (Renewal& one : under_way_) {
    if (one.old == &connection) one.old = nullptr;
    if (one.fresh != &connection) continue;
    one = {};
    pause();
  }
}

}  // namespace driveshaft::http
