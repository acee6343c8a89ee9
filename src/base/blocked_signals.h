// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>

namespace driveshaft::base {

// While an object of this class lives, all signals are blocked in its thread, and in threads that its thread
// starts meanwhile. So signals reach the loop's thread alone, and interrupt no system call of another thread.
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
