// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>

namespace driveshaft::base {

// Blocks all signals in this thread while it lives, and so in threads that are started meanwhile: signals are
// the business of the loop's thread, and interrupt no call of another.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace driveshaft::base
