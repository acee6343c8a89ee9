// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <vector>

namespace driveshaft::base {

// Something that may run out of time. It leaves its wheel by itself when it is destroyed.
class Deadline
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  using Clock = std::chrono::steady_clock;

  // Its time has come. Called once for each set(); may set it again, and may destroy any deadline.
  virtual void on_deadline() = 0;

  bool is_set() const { return is_linked(); }
  void clear() { unlink(); }  // does nothing when not set

 protected:
  ~Deadline() = default;

 private:
  friend class DeadlineWheel;
  Clock::time_point at_{};
};

// A deadline that calls a member function of whoever has it.
template <class Owner>
class MemberDeadline final : public Deadline {
 public:
  using Action = void (Owner::*)();

  MemberDeadline(Owner& owner, Action action) : owner_(owner), action_(action) {}
  void on_deadline() override { (owner_.*action_)(); }

 private:
  Owner& owner_;
  const Action action_;
};

// Coarse timers for every job and connection of a loop: setting or clearing one costs a list operation, no
// allocation and no timer. A deadline is called at most one tick late and never early.
// One loop thread drives it; it outlives its deadlines' calls but not the io_context.
class DeadlineWheel {
 public:
  static constexpr std::chrono::milliseconds kTick{50};

  explicit DeadlineWheel(boost::asio::io_context& loop);

  // Set again, it moves.
  void set(Deadline& deadline, Deadline::Clock::time_point at);
  void set(Deadline& deadline, Deadline::Clock::duration from_now) {
    set(deadline, Deadline::Clock::now() + from_now);
  }

 private:
  // Constant-time size would need the list on unlink, which auto_unlink does without.
  using Bucket = boost::intrusive::list<Deadline, boost::intrusive::constant_time_size<false>>;

  std::int64_t tick_of(Deadline::Clock::time_point at) const;
  void arm();
  void turn();
  bool empty() const;

  boost::asio::steady_timer timer_;
  std::vector<Bucket> buckets_;
  const Deadline::Clock::time_point start_ = Deadline::Clock::now();
  std::int64_t done_ticks_ = 0;  // every deadline of this tick and before has been called
  bool armed_ = false;           // the timer runs only while something is set: an idle loop sleeps
};

}  // namespace driveshaft::base
