// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <vector>

namespace driveshaft::base {

// The base of what a wheel calls at a given time. Its destructor removes it from the wheel. On the loop's
// thread.
class Deadline
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  using Clock = std::chrono::steady_clock;

  // The time has come. The wheel calls this once for each set(). It may set the deadline again, and may
  // destroy any deadline.
  virtual void on_deadline() = 0;

  bool is_set() const { return is_linked(); }
  void clear() { unlink(); }  // does nothing when not set

 protected:
  ~Deadline() = default;

 private:
  friend class DeadlineWheel;
  Clock::time_point at_{};
};

// A deadline that calls a member function of its owner, which outlives it.
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

// Coarse timers for all jobs and connections of a loop. To set or clear a deadline costs a list operation,
// and neither an allocation nor a system call. A deadline is called at most one tick late, and never early.
// On the loop's thread. The io_context outlives the wheel; no deadline is called once the wheel is destroyed.
class DeadlineWheel {
 public:
  static constexpr std::chrono::milliseconds kTick{50};

  explicit DeadlineWheel(boost::asio::io_context& loop);

  // A deadline that is set already moves to the new time.
  void set(Deadline& deadline, Deadline::Clock::time_point at);
  void set(Deadline& deadline, Deadline::Clock::duration from_now) {
    set(deadline, Deadline::Clock::now() + from_now);
  }

 private:
  // A deadline that unlinks itself does not know its list, so the list cannot count its members.
  using Bucket = boost::intrusive::list<Deadline, boost::intrusive::constant_time_size<false>>;

  std::int64_t tick_of(Deadline::Clock::time_point at) const;
  void arm();
  void turn();
  bool empty() const;

  boost::asio::steady_timer timer_;
  std::vector<Bucket> buckets_;
  const Deadline::Clock::time_point start_ = Deadline::Clock::now();
  std::int64_t done_ticks_ = 0;  // all deadlines up to this tick have been called
  bool armed_ = false;  // the timer runs; it does so only while a deadline is set, so an idle loop sleeps
};

}  // namespace driveshaft::base
