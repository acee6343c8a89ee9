// SPDX-License-Identifier: MIT
#include "log/loss.h"

#include <mutex>

namespace driveshaft::log {
namespace {

struct State {
  std::mutex mutex;
  Loss loss;  // guarded by the mutex
};

// It is never destroyed: lines may be lost at the exit, too.
State& state() {
  static auto& instance = *new State;
  return instance;
}

}  // namespace

Loss loss() {
  const std::lock_guard lock(state().mutex);
  return state().loss;
}

void note_loss(std::uint64_t lines, const std::string& why) {
  const std::lock_guard lock(state().mutex);
  Loss& loss = state().loss;
  loss.lines += lines;
  loss.last = std::chrono::steady_clock::now();
  if (loss.why != why) loss.why = why;
}

}  // namespace driveshaft::log
