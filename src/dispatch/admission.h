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

// Decides how many jobs a pool may take, over which link, and which job may go to its endpoint now. It has
// all counters of the pool: slots, grabs without an answer, running jobs, jobs at endpoints, held jobs, and
// the rate. Pure: it has no socket, no clock and no callback. The pool tells it what has happened, and at the
// end of a turn of the loop the pool carries out what share_out() and next_to_post() return.
//
// A grab brings a job of any function of its link, and a job that is taken cannot be handed back. So the only
// way to keep a limit is not to grab. Functions with a limit or an endpoint of their own have a lane with
// links of their own, and each grab reserves a slot, a place in its lane and a place at the endpoint of its
// lane.
//
// Still more jobs than slots can come: a server may answer a grab after the slot of that grab has been given
// to another job, and a reload may lower a limit. Such a job is held until a permit is free. So at most
// `slots` jobs are at all endpoints together.
//
// Of the backends that have a permit left, the least busy one gets the next job. That is the backend with the
// fewest jobs for its weight; backends that are equal take turns. A job that was sent before goes to another
// backend than the last time if another one has a permit.
//
// The nodes below (EndpointCounters and so on, and Ticket) belong to the pool. The pool keeps each node as
// long as it is registered here. Only this class changes nodes.
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
      idle,    // the job has no slot
      taken,   // the job has a slot, and does not want to be sent now
      held,    // the job waits for a permit
      posted,  // the job has a permit and is at its endpoint
    };
    State state() const { return state_; }
    // The backend that the job is at. Only when it is posted.
    BackendCounters& backend() const { return *backend_; }

   private:
    friend class Admission;
    State state_ = State::idle;
    FunctionCounters* function_ = nullptr;
    EndpointCounters* endpoint_ = nullptr;  // set while held or posted
    BackendCounters* backend_ = nullptr;    // set while posted
    // Id of the backend that the job was last sent to; 0: it was not sent yet.
    std::uint64_t last_backend_ = 0;
  };

  // A backend: one of the places where an endpoint's jobs can go.
  class BackendCounters {
   public:
    int posted() const { return posted_; }
    std::uint64_t id() const { return id_; }  // no other backend of the pool has had it

   private:
    friend class Admission;
    bool has_permit() const { return posted_ < limit_; }

    EndpointCounters* endpoint_ = nullptr;
    std::uint64_t id_ = 0;
    int weight_ = 1;
    int limit_ = kNoLimit;        // jobs at once; 0: the backend takes no jobs now
    bool wants_new_job_ = false;  // its permits are only for jobs that were not sent yet
    int posted_ = 0;
    // Of equal backends the one with the lowest value gets the next job. Each job adds to the value; the
    // higher the weight, the less it adds.
    std::uint64_t turn_ = 0;
  };

  // An endpoint: what the jobs of some functions are sent to.
  class EndpointCounters {
   public:
    int posted() const { return posted_; }
    int held() const { return static_cast<int>(held_.size()); }
    // No job is there or held, and no grab is out whose job would go there.
    bool unused() const { return posted_ == 0 && reserved_ == 0 && held_.empty(); }

   private:
    friend class Admission;
    bool wants_new_job() const;

    std::vector<BackendCounters*> backends_;
    std::uint64_t turn_ = 0;  // the highest turn_ that a backend had when it was chosen
    int posted_ = 0;          // jobs at any of the backends
    int reserved_ = 0;        // grabs without an answer whose jobs will go there
    // Jobs that were not sent yet come first. Among the others the one that is held for longest comes first.
    boost::intrusive::list<Ticket> held_;
  };

  class FunctionCounters {
   public:
    int limit() const { return limit_; }
    int running() const { return running_; }
    const EndpointCounters* endpoint() const { return endpoint_; }

   private:
    friend class Admission;
    int limit_ = kNoLimit;  // jobs that may be at the endpoint at once
    int running_ = 0;
    int posted_ = 0;
    EndpointCounters* endpoint_ = nullptr;  // the endpoint of its jobs from now on
    LaneCounters* lane_ = nullptr;          // null when the function is withdrawn or paused
  };

  // A lane: functions that share their links.
  class LaneCounters {
   public:
    // Running jobs, and grabs without an answer. Late grabs do not count.
    int jobs() const { return running_ + reserved_; }
    int posted() const { return posted_; }

   private:
    friend class Admission;
    EndpointCounters* endpoint_ = nullptr;  // of its functions; null: the lane takes no more jobs
    int limit_ = kNoLimit;                  // jobs that may run at once
    int window_ = kNoLimit;                 // jobs that may be at the endpoint at once; the breaker sets it
    int running_ = 0;
    int posted_ = 0;
    int reserved_ = 0;
    std::uint64_t turn_ = 0;  // number of the scarce slot that the lane got last
    std::vector<LinkCounters*> links_;
    std::size_t next_link_ = 0;  // index of the link that gets the next slot
  };

  // A connection to a gearmand, or an attempt at one.
  class LinkCounters {
   public:
    // Says, for the turn of the loop that ends now, how many grabs the link would send if it had the slots,
    // and whether it needs a wake grab (see gearman::Grabber::wants_wake_grab()). A link whose server is late
    // gets neither.
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
    bool late_ = false;    // these grabs are late, so other jobs may use their slots
  };

  // `rate` is in jobs a second; 0: no limit.
  Admission(int slots, double rate, Clock::time_point now);
  Admission(const Admission&) = delete;

  // Settings. They hold at once, but no job is taken back.
  void set_slots(int slots) { slots_ = slots; }
  void set_rate(double rate, Clock::time_point now);
  void add(EndpointCounters& endpoint);
  void remove(EndpointCounters& endpoint);  // it must be unused(), and have no backends
  void add(BackendCounters& backend, EndpointCounters& endpoint);
  void remove(BackendCounters& backend);  // no job may be there
  // `weight` is the backend's share beside the others, at least 1.
  void set_weight(BackendCounters& backend, int weight) { backend.weight_ = weight; }
  // Limits the jobs at a backend; 0: it takes no jobs now. With `wants_new_job` its permits are only for jobs
  // that were not sent yet, and held jobs do not count against them. False: nothing has changed.
  bool set_limit(BackendCounters& backend, int limit, bool wants_new_job = false) {
    const bool same = backend.limit_ == limit && backend.wants_new_job_ == wants_new_job;
    backend.limit_ = limit;
    backend.wants_new_job_ = wants_new_job;
    return !same;
  }
  // Sets the endpoint, lane and limit of a function. Its held jobs go to `endpoint`, too. `lane` is null for
  // a function whose jobs are no longer taken.
  void set_function(FunctionCounters& function, EndpointCounters& endpoint, LaneCounters* lane, int limit);
  void add(LaneCounters& lane);
  void remove(LaneCounters& lane);  // it must have no links and no functions
  // Without an endpoint the lane takes no more jobs.
  void set_lane(LaneCounters& lane, EndpointCounters* endpoint, int limit);
  // Also limits the lane's jobs at the endpoint; 0: none may be sent. False: the limit has not changed.
  bool set_lane_window(LaneCounters& lane, int window) {
    return std::exchange(lane.window_, window) != window;
  }
  void add(LinkCounters& link, LaneCounters& lane);
  void remove(LinkCounters& link);
  // From now on admit() requeues a job instead of holding it.
  void drain() { draining_ = true; }

  // A grab was answered, or will not be.
  void job_assigned(LinkCounters& link, Ticket& ticket, FunctionCounters& function);
  void no_job(LinkCounters& link) { answered(link); }
  // The server is late with its answers. Other links may have the slots of these grabs until the server
  // answers after all.
  void grabs_are_late(LinkCounters& link);
  void connection_lost(LinkCounters& link);

  enum class Admitted {
    posted,   // the job has a permit: send it to Ticket::backend()
    held,     // the job waits; next_to_post() will return it
    requeue,  // the job would have to wait, and the pool drains
  };
  // A job is ready to be sent.
  [[nodiscard]] Admitted admit(Ticket& ticket);
  // The job gives its permit back, or no longer waits for one.
  void release(Ticket& ticket);
  // The job gives its slot back as well.
  void end(Ticket& ticket);

  // Call it at the end of a turn until it returns null: each call gives a permit to one held job and returns
  // that job.
  Ticket* next_to_post();
  // What a link has to grab now.
  struct Grant {
    LinkCounters* link;
    int grabs;
    bool wake_grab;  // the only grab is one that wakes a draining link
  };
  // Adds a wake grab for each link that needs one. Call it before share_out(), if a link needs one.
  // LinkCounters::wants() must have been called for all links in this turn.
  void wake_draining_links(std::vector<Grant>& grants);
  // Adds the grabs for all links. LinkCounters::wants() must have been called for all links in this turn.
  // `now` is only used if there is a rate. Returns when the rate allows the next job, if the rate allows none
  // now.
  std::optional<Clock::time_point> share_out(Clock::time_point now, std::vector<Grant>& grants);

  bool has_rate() const { return rate_.rate() > 0; }
  // False: share_out() would grant nothing.
  bool has_free_slots() const { return free_slots() > 0; }
  int running() const { return running_; }
  int held() const { return held_; }
  // The number of held jobs whose slots other jobs may use meanwhile: jobs of functions with another
  // endpoint, or a new job that shows whether an endpoint works.
  int reusable_slots() const { return held_ > 0 ? count_reusable_slots() : 0; }
  // The number of held jobs that take no slot, as people are told: jobs of other endpoints may use the slots
  // of these jobs, or the jobs are beyond the slots.
  int held_without_slots() const { return held_ > 0 ? count_held_without_slots() : 0; }

  // Throws std::logic_error with the name of a counter that does not add up. For tests and sanitizer builds.
  void check() const;

 private:
  // Whether a job may use any permit, or only those that are for new jobs.
  enum class For { any_job, new_jobs };
  static BackendCounters* choose(const EndpointCounters& endpoint, const Ticket& ticket, For whom);
  // Sums over all backends that may have the next job: their jobs, the next one included, and their weights.
  struct Shares {
    std::int64_t jobs = 1;
    std::int64_t weights = 0;
  };
  using Rank =
      std::tuple<bool, std::int64_t, std::uint64_t>;  // the backend with the lowest rank gets the job
  static bool may_have(const BackendCounters& backend, const Ticket& ticket, For whom);
  static std::int64_t jobs_above_share(const BackendCounters& backend, const Shares& all);
  static int room(const EndpointCounters& endpoint);
  static bool has_permit(const FunctionCounters& function) {
    return function.posted_ < function.limit_ &&
           (!function.lane_ || function.lane_->posted_ < function.lane_->window_);
  }
  // Even if a reload takes all slots, running jobs may still be sent, one at a time.
  int most_posted() const { return slots_ > 1 ? slots_ : 1; }
  int room(const LaneCounters& lane) const;
  static int grabs_wanted(const LaneCounters& lane);
  int rate_room(Clock::time_point now, std::optional<Clock::time_point>& wake_at);
  int free_slots() const { return slots_ - reserved_ - running_ + reusable_slots(); }
  int count_reusable_slots() const;
  int reusable_slots(const EndpointCounters& endpoint) const;
  int held_for_others(const EndpointCounters& endpoint) const;
  int count_held_without_slots() const;
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
  int reserved_ = 0;  // slots that are reserved for grabs without an answer
  int running_ = 0;   // jobs that have a slot
  int posted_ = 0;    // running jobs that are at an endpoint
  int held_ = 0;      // running jobs that are held
  bool draining_ = false;
  TokenBucket rate_;
  std::vector<EndpointCounters*> endpoints_;
  std::vector<LaneCounters*> lanes_;
  std::uint64_t last_id_ = 0;  // the id of the newest backend
  std::uint64_t turn_ = 0;     // the number of scarce slots that were given
  // Used by grant_scarce() only; a member so that its memory is used again.
  std::vector<LaneCounters*> wanting_;
};

}  // namespace driveshaft::dispatch
