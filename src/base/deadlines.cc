// SPDX-License-Identifier: MIT
#include "base/deadlines.h"

#include <algorithm>

namespace driveshaft::base {
namespace {
// One turn of the wheel is 25.6 s; a later deadline is looked at once a turn.
constexpr std::size_t kBuckets = 512;
}  // namespace

DeadlineWheel::DeadlineWheel(boost::asio::io_context& loop) : timer_(loop), buckets_(kBuckets) {}

// The tick is rounded up, so that no deadline is called early.
std::int64_t DeadlineWheel::tick_of(Deadline::Clock::time_point at) const {
  return (at - start_ + kTick - Deadline::Clock::duration(1)) / kTick;
}

void DeadlineWheel::set(Deadline& deadline, Deadline::Clock::time_point at) {
  deadline.unlink();
  if (!armed_) {
    done_ticks_ = tick_of(Deadline::Clock::now()) - 1;
    arm();
  }
  deadline.at_ = at;
  const std::int64_t tick = std::max(tick_of(at), done_ticks_ + 1);
  buckets_[static_cast<std::size_t>(tick) % kBuckets].push_back(deadline);
}

void DeadlineWheel::arm() {
  timer_.expires_at(start_ + (done_ticks_ + 1) * kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) turn();
  });
  armed_ = true;  // set last: async_wait() throws if there is no memory
}

void DeadlineWheel::turn() {
  const auto now = Deadline::Clock::now();
  const std::int64_t last = (now - start_) / kTick;
  const std::int64_t first = std::max(done_ticks_ + 1, last - static_cast<std::int64_t>(kBuckets) + 1);
  done_ticks_ = std::max(done_ticks_, last);
  for (std::int64_t tick = first; tick <= last; ++tick) {
    // A call may set deadlines, also in this bucket. So the due ones are taken out of the bucket first.
    Bucket& bucket = buckets_[static_cast<std::size_t>(tick) % kBuckets];
    Bucket due;
    for (auto it = bucket.begin(); it != bucket.end();) {
      Deadline& deadline = *it++;
      if (deadline.at_ > now) continue;
      deadline.unlink();
      due.push_back(deadline);
    }
    while (!due.empty()) {
      Deadline& deadline = due.front();
      deadline.unlink();
      deadline.on_deadline();
    }
  }
  if (empty()) {
    armed_ = false;
  } else {
    arm();
  }
}

bool DeadlineWheel::empty() const {
  return std::all_of(buckets_.begin(), buckets_.end(), [](const Bucket& bucket) { return bucket.empty(); });
}

}  // namespace driveshaft::base
