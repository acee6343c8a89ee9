// SPDX-License-Identifier: MIT
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "dispatch/token_bucket.h"

namespace driveshaft::dispatch {

inline constexpr int kNoLimit = std::numeric_limits<int>::max();

// How many jobs a pool may take, by which link, and which job may go to its endpoint now. All counters of a
// pool are here: slots, grabs without an answer, jobs that run, jobs at endpoints, jobs that are held, the
// rate. Pure: no socket, no clock, no callback. The pool tells what has happened, and carries out what
// share_out() and next_to_post() say at the end of a turn of the loop.
//
// A grab brings a job of any function of its link, and a job that is taken cannot be handed back. So a limit
// is kept by not grabbing: functions that have a limit or an endpoint of their own have a lane with links of
// their own, and each grab reserves a slot, a place in its lane and a place at its lane's endpoint.
//
// More jobs than slots can come all the same: a server may answer a grab after its slot has been given to
// another, and a reload may lower a limit. Such jobs are held until a permit is free: `slots` bounds the jobs
// at all endpoints together.
//
// Of the backends of its endpoint that have a permit left, the least busy one gets a job: the one with the
// fewest jobs for its weight, and among equals the one whose turn it is. A job that has been sent before goes
// to another backend than the last time, if another has a permit.
//
// The nodes below (EndpointCounters and so on, and Ticket) belong to the pool, which keeps each as long as it
// is registered here; only this class changes them.
class Admission {
 public:
  using Clock = std::chrono::steady_clock;

  class BackendCounters;
  class EndpointCounters;
  class FunctionCounters;
  class LaneCounters;
  class LinkCounters;
  class Ticket;

  // A job in its slot.
  class Ticket : public boost::intrusive::list_base_hook<> {
   public:
    enum class State {
      idle,    // it has no slot
      taken,   // it has a slot, and wants nothing now
      held,    // it waits for a permit
      posted,  // it has a permit: it is at its endpoint
    };
    State state() const { return state_; }
    // Where it is posted.
    BackendCounters& backend() const { return *backend_; }

   private:
    friend class Admission;
    State state_ = State::idle;
    FunctionCounters* function_ = nullptr;
    EndpointCounters* endpoint_ = nullptr;  // held or posted
    BackendCounters* backend_ = nullptr;    // posted
    std::uint64_t last_backend_ = 0;        // that it was sent to; 0: it has not been sent
  };

  // One of the places that the jobs of an endpoint go to.
  class BackendCounters {
   public:
    int posted() const { return posted_; }
    std::uint64_t id() const { return id_; }  // no other backend has had it

   private:
    friend class Admission;
    bool has_permit() const { return posted_ < limit_; }

    EndpointCounters* endpoint_ = nullptr;
    std::uint64_t id_ = 0;
    int weight_ = 1;
    int limit_ = kNoLimit;        // jobs at once; 0: it takes none now
    bool wants_new_job_ = false;  // its permits are for jobs that have not been sent yet
    int posted_ = 0;
    std::uint64_t turn_ = 0;  // of equals the lowest is next; each job adds to it, the less the more weight
  };

  // What the jobs of some functions are sent to.
  class EndpointCounters {
   public:
    int posted() const { return posted_; }
    int held() const { return static_cast<int>(held_.size()); }
    // Nothing is there, nor on its way.
    bool unused() const { return posted_ == 0 && reserved_ == 0 && held_.empty(); }

   private:
    friend class Admission;
    bool wants_new_job() const;

    std::vector<BackendCounters*> backends_;
    std::uint64_t turn_ = 0;  // that of the backend which was last chosen
    int posted_ = 0;          // at any of them
    int reserved_ = 0;        // grabs whose jobs will go there
    // Those that have not been sent yet first, then the longest held first.
    boost::intrusive::list<Ticket> held_;
  };

  class FunctionCounters {
   public:
    int limit() const { return limit_; }
    int running() const { return running_; }
    const EndpointCounters* endpoint() const { return endpoint_; }

   private:
    friend class Admission;
    int limit_ = kNoLimit;  // jobs at once
    int running_ = 0;
    int posted_ = 0;
    EndpointCounters* endpoint_ = nullptr;  // for its jobs from now on
    LaneCounters* lane_ = nullptr;          // null when it is withdrawn
  };

  // Functions that share their links.
  class LaneCounters {
   public:
    // Jobs that run or are on their way.
    int jobs() const { return running_ + reserved_; }
    int posted() const { return posted_; }

   private:
    friend class Admission;
    EndpointCounters* endpoint_ = nullptr;  // of its functions; null: it takes no more jobs
    int limit_ = kNoLimit;                  // jobs at once
    int window_ = kNoLimit;                 // jobs at their endpoint at once, while they fail
    int running_ = 0;
    int posted_ = 0;
    int reserved_ = 0;
    std::uint64_t turn_ = 0;  // when it was last given a scarce slot
    std::vector<LinkCounters*> links_;
    std::size_t next_link_ = 0;  // whose turn it is for the next slot
  };

  // A connection to a gearmand, or an attempt at one.
  class LinkCounters {
   public:
    // For the turn that ends now: how many grabs it would send if it had the slots, and whether one grab
    // would wake it (see gearman::Grabber::wants_wake_grab()). A server that is late gets no more.
    void wants(int grabs, bool wake_grab) {
      grabs_wanted_ = late_ ? 0 : grabs;
      wants_wake_grab_ = wake_grab && !late_;
    }
    int outstanding() const { return outstanding_; }

   private:
    friend class Admission;
    LaneCounters* lane_ = nullptr;
    int grabs_wanted_ = 0;
    bool wants_wake_grab_ = false;
    int outstanding_ = 0;  // grabs without an answer
    bool late_ = false;    // and others may use their slots meanwhile
  };

  // `rate`: jobs taken a second; 0: no limit.
  Admission(int slots, double rate, Clock::time_point now);
  Admission(const Admission&) = delete;

  // Settings. Those in force change at once; no job is taken back.
  void set_slots(int slots) { slots_ = slots; }
  void set_rate(double rate, Clock::time_point now);
  void add(EndpointCounters& endpoint);
  void remove(EndpointCounters& endpoint);  // unused(), and without backends
  void add(BackendCounters& backend, EndpointCounters& endpoint);
  void remove(BackendCounters& backend);  // no job is there
  // `weight`: its share beside the others', ≥ 1.
  void set_weight(BackendCounters& backend, int weight) { backend.weight_ = weight; }
  // Limits the jobs at a backend; 0 for one that takes none now. With `wants_new_job` a permit is for a job
  // that has not been sent yet, and held ones do not count. False: nothing has changed.
  bool set_limit(BackendCounters& backend, int limit, bool wants_new_job = false) {
    const bool same = backend.limit_ == limit && backend.wants_new_job_ == wants_new_job;
    backend.limit_ = limit;
    backend.wants_new_job_ = wants_new_job;
    return !same;
  }
  // Its jobs that are held go to `endpoint`, too.
  void set_function(FunctionCounters& function, EndpointCounters& endpoint, LaneCounters* lane, int limit);
  void add(LaneCounters& lane);
  void remove(LaneCounters& lane);  // it has no links and no functions
  // Without an endpoint it takes no more jobs.
  void set_lane(LaneCounters& lane, EndpointCounters* endpoint, int limit);
  // Limits its jobs at their endpoint beside that: 0 while it takes none. False: it is the limit that it had.
  bool set_lane_window(LaneCounters& lane, int window) {
    return std::exchange(lane.window_, window) != window;
  }
  void add(LinkCounters& link, LaneCounters& lane);
  void remove(LinkCounters& link);
  // From now on what would be held is requeued; see admit().
  void drain() { draining_ = true; }

  // Grabs were answered, or will not be.
  void job_assigned(LinkCounters& link, Ticket& ticket, FunctionCounters& function);
  void no_job(LinkCounters& link) { answered(link); }
  // The server is late: other links may have the slots until it answers after all.
  void grabs_are_late(LinkCounters& link);
  void connection_lost(LinkCounters& link);

  enum class Admitted {
    posted,   // it has a permit: send it to Ticket::backend()
    held,     // it waits; next_to_post() will have it
    requeue,  // it would have to wait, and the pool drains
  };
  // A job wants to be sent.
  [[nodiscard]] Admitted admit(Ticket& ticket);
  // It gives its permit back, or waits no longer.
  void release(Ticket& ticket);
  // It gives its slot back as well.
  void end(Ticket& ticket);

  // At the end of a turn: the held jobs that have a permit now, one by one, until null.
  Ticket* next_to_post();
  // Then: what each link is to grab now. Links have said before what they want.
  struct Grant {
    LinkCounters* link;
    int grabs;
    bool wake_grab;  // one grab that wakes a link that drains
  };
  // One grab for each link that it wakes; first of the two, where there is such a link.
  void wake_draining_links(std::vector<Grant>& grants);
  // `now` matters where there is a rate. The answer: when it allows the next job, if jobs wait for that.
  std::optional<Clock::time_point> share_out(Clock::time_point now, std::vector<Grant>& grants);

  bool has_rate() const { return rate_.rate() > 0; }
  // Whether share_out() could grant anything.
  bool has_free_slots() const { return free_slots() > 0; }
  int running() const { return running_; }
  int held() const { return held_; }
  // Held jobs whose slots other jobs may use meanwhile: jobs of functions with another endpoint, and a new
  // job that shows whether an endpoint works.
  int reusable_slots() const { return held_ > 0 ? count_reusable_slots() : 0; }

  // Throws std::logic_error that names the counter which does not add up. For tests and sanitizer builds.
  void check() const;

 private:
  enum class For { any_job, new_jobs };  // which permits
  static BackendCounters* choose(const EndpointCounters& endpoint, const Ticket& ticket, For whom);
  // The jobs at all backends that may have the next one, that one among them, and their weights.
  struct Shares {
    std::int64_t jobs = 1;
    std::int64_t weights = 0;
  };
  using Rank = std::tuple<bool, std::int64_t, std::uint64_t>;  // the lowest gets the job
  static bool may_have(const BackendCounters& backend, const Ticket& ticket, For whom);
  static std::int64_t jobs_above_share(const BackendCounters& backend, const Shares& all);
  static int room(const EndpointCounters& endpoint);
  static bool has_permit(const FunctionCounters& function) {
    return function.posted_ < function.limit_ &&
           (!function.lane_ || function.lane_->posted_ < function.lane_->window_);
  }
  int most_posted() const { return slots_ > 1 ? slots_ : 1; }  // what runs when the slots go may end
  int room(const LaneCounters& lane) const;
  static int grabs_wanted(const LaneCounters& lane);
  int rate_room(Clock::time_point now, std::optional<Clock::time_point>& wake_at);
  int free_slots() const { return slots_ - reserved_ - running_ + reusable_slots(); }
  int count_reusable_slots() const;
  int reusable_slots(const EndpointCounters& endpoint) const;
  Ticket* next_to_post(EndpointCounters& endpoint);
  void post(Ticket& ticket, BackendCounters& backend);
  void hold(Ticket& ticket, EndpointCounters& endpoint);
  void unhold(Ticket& ticket);
  void reserve(LaneCounters& lane, int grabs);
  void answered(LinkCounters& link);
  void grant(LaneCounters& lane, int most, std::vector<Grant>& grants);
  static int grant(LinkCounters& link, int most, std::vector<Grant>& grants);
  void grant_scarce(int free, std::vector<Grant>& grants);

  int slots_;
  int reserved_ = 0;  // slots, for grabs without an answer
  int running_ = 0;   // jobs that have a slot
  int posted_ = 0;    // of these, at any endpoint
  int held_ = 0;      // and held
  bool draining_ = false;
  TokenBucket rate_;
  std::vector<EndpointCounters*> endpoints_;
  std::vector<LaneCounters*> lanes_;
  std::uint64_t last_id_ = 0;           // of a backend
  std::uint64_t turn_ = 0;              // counts scarce slots that were given
  std::vector<LaneCounters*> wanting_;  // while they are shared out
};

}  // namespace driveshaft::dispatch
