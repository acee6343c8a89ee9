// SPDX-License-Identifier: MIT
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadlines.h"
#include "config/config.h"
#include "dispatch/adaptive_limit.h"
#include "dispatch/context.h"
#include "dispatch/job.h"
#include "dispatch/signer.h"
#include "dispatch/status.h"
#include "http/endpoint.h"
#include "metrics/metrics.h"

namespace driveshaft::dispatch {

// The places of a pool: jobs that all its endpoints together work on at once.
struct Places {
  int most = 0;
  int taken = 0;
};

// A pool's endpoint, or that of some of its functions, as the pool sees it: how many jobs it is given at
// once, and which wait for it in their slots. When it cannot be reached, or asks to be left alone for a while
// (429 and 503 with Retry-After), the jobs are held and no more are taken; then it is approached carefully:
// one job, and one more for each that succeeds. The pool owns it; the loop's thread drives it.
class Upstream {
 public:
  enum class Kind { of_pool, of_functions };

  class Owner {
   public:
    // More or fewer jobs may be taken.
    virtual void room_changed() = 0;

   protected:
    ~Owner() = default;
  };

  // `settings` has its URI. `places` are the pool's.
  Upstream(Context& context, Owner& owner, metrics::PoolMetrics& metrics, Places& places, Kind kind,
           const config::Pool& settings);
  Upstream(const Upstream&) = delete;
  ~Upstream();

  // Puts new settings in force. Another endpoint starts with a clean record, and gets the jobs held for the
  // one before; what that one runs, it finishes.
  void configure(const config::Pool& settings);
  // The functions that it has, as people are told when it takes no jobs; empty: all of the pool.
  void set_functions(std::string functions);
  // Held jobs of functions that have another upstream by now go there.
  void hand_over();
  // No function has it any more. It finishes what it runs, and may be let go when it is unused().
  void retire();
  bool retired() const { return retired_; }
  bool unused() const { return at_endpoint_ == 0 && held_.empty() && endpoint_->unused(); }
  // Lets go of former endpoints that have nothing to do any more.
  void sweep();

  // So many more jobs are on their way, or fewer.
  void reserved(int change) { reserved_ += change; }
  // How many more jobs may be taken, so far as the endpoint is concerned.
  int room() const;
  // Held jobs that would be held even if the pool had a place for each: others may use their slots.
  int stuck() const;
  // Sends held jobs, if there are places.
  void release();
  EndpointStatus status() const;
  const base::Uri& uri() const { return settings_.uri; }
  // Null: requests are not signed.
  Signer* signer() { return signer_ ? &*signer_ : nullptr; }
  int held() const { return static_cast<int>(held_.size()); }

  // Sends the job, now or when the endpoint can have it and one of worker_count places there is free: jobs of
  // a server that was silent may be more.
  void submit(Job& job);
  // Jobs at the endpoint: the attempt is over, and what came of it.
  struct Attempt {
    Function& function;
    base::Deadline::Clock::duration took;
    bool reached;     // the endpoint
    bool answered;    // with something of the contract
    bool overloaded;  // the endpoint could not cope, or so it seems
  };
  void left(const Attempt& attempt);
  // It was ended by us, which says nothing of the endpoint.
  void left(Function& function);
  // One could not be sent after all. No other takes its place before this returns: that would come here too.
  void not_sent(Function& function);
  // The function is served no more.
  void forget(const Function& function);
  // It is held, or goes on at once where `from` is an endpoint of before, which says nothing of today's.
  void left_unreachable(Job& job, const http::Endpoint& from, const std::string& why);
  void left_to_wait(Job& job, const http::Endpoint& from, std::chrono::milliseconds time, unsigned status);
  // A held job ends.
  void withdraw(Job& job);
  // Held jobs whose connection to gearmand is gone are let go.
  void drop_unwanted();

  // From now on what would be held is given back to gearmand, and so is what is held.
  void drain();

 private:
  enum class State {
    up,
    down,    // cannot be reached; it is probed
    paused,  // asked to be left alone
  };
  using Timer = base::MemberDeadline<Upstream>;

  void open_endpoint();
  void make_signer();
  void send(Job& job);
  void gone(Function& function);
  void hold(Job& job);
  Job* next_held();
  void wait_for_probe();
  void wait_is_over();
  void recover();
  void publish();
  void set_reached(bool reached);
  int limit() const;
  bool has_place() const;
  void limit_changed();

  // Constant after construction.
  Context& context_;
  Owner& owner_;
  metrics::PoolMetrics& metrics_;
  Places& places_;
  const Kind kind_;
  const std::string pool_;

  // Loop state.
  config::Pool settings_;
  std::unique_ptr<http::Endpoint> endpoint_;
  std::vector<std::unique_ptr<http::Endpoint>> old_endpoints_;  // until their last job is done
  std::optional<Signer> signer_;                                // when asked for
  State state_ = State::up;
  bool reached_ = true;                        // when it was last tried
  base::Deadline::Clock::time_point since_{};  // not up
  base::Deadline::Clock::time_point paused_until_{};
  std::string why_;                        // not up
  std::string functions_;                  // that it has, unless it has all
  int reserved_ = 0;                       // jobs on their way
  int at_endpoint_ = 0;                    // jobs
  int window_;                             // so many at once, while it recovers; else no limit
  std::optional<AdaptiveLimit> adaptive_;  // when asked for
  HeldJobs held_;                          // the longest held first
  bool draining_ = false;
  bool retired_ = false;
  Timer wait_{*this, &Upstream::wait_is_over};  // for the next probe, or the end of a pause
};

}  // namespace driveshaft::dispatch
