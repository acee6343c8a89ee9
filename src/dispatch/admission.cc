// SPDX-License-Identifier: MIT
#include "dispatch/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace driveshaft::dispatch {

namespace {

// A new job that shows whether an endpoint works may be held as well. For this, an endpoint may hold so many
// jobs beyond the slots.
constexpr int kHeldBeyondSlots = 4;

// What a job adds to the turn of a backend of weight 1. It is divisible by all small weights.
constexpr std::uint64_t kStride = 720'720;

}  // namespace

Admission::Admission(int slots, double rate, Clock::time_point now) : slots_(slots), rate_(rate, now) {}

void Admission::set_rate(double rate, Clock::time_point now) {
  if (rate != rate_.rate()) rate_ = TokenBucket(rate, now);
}

void Admission::add(EndpointCounters& endpoint) { endpoints_.push_back(&endpoint); }

void Admission::remove(EndpointCounters& endpoint) { std::erase(endpoints_, &endpoint); }

void Admission::add(BackendCounters& backend, EndpointCounters& endpoint) {
  backend.endpoint_ = &endpoint;
  backend.id_ = ++last_id_;
  backend.turn_ = endpoint.turn_;
  endpoint.backends_.push_back(&backend);
}

void Admission::remove(BackendCounters& backend) { std::erase(backend.endpoint_->backends_, &backend); }

bool Admission::EndpointCounters::wants_new_job() const {
  return std::any_of(backends_.begin(), backends_.end(),
                     [](const BackendCounters* backend) { return backend->wants_new_job_; });
}

void Admission::set_function(FunctionCounters& function, EndpointCounters& endpoint, LaneCounters* lane,
                             int limit) {
  function.limit_ = limit;
  if (function.lane_ != lane) {
    if (function.lane_) function.lane_->running_ -= function.running_;
    if (function.lane_) function.lane_->posted_ -= function.posted_;
    function.lane_ = lane;
    if (lane) lane->running_ += function.running_;
    if (lane) lane->posted_ += function.posted_;
  }
  EndpointCounters* const before = std::exchange(function.endpoint_, &endpoint);
  if (!before || before == &endpoint) return;
  for (auto held = before->held_.begin(); held != before->held_.end();) {
    Ticket& ticket = *held++;
    if (ticket.function_ != &function) continue;
    unhold(ticket);
    hold(ticket, endpoint);
  }
}

void Admission::add(LaneCounters& lane) { lanes_.push_back(&lane); }

void Admission::remove(LaneCounters& lane) { std::erase(lanes_, &lane); }

void Admission::set_lane(LaneCounters& lane, EndpointCounters* endpoint, int limit) {
  lane.limit_ = limit;
  if (lane.endpoint_) lane.endpoint_->reserved_ -= lane.reserved_;
  lane.endpoint_ = endpoint;
  if (lane.endpoint_) lane.endpoint_->reserved_ += lane.reserved_;
}

void Admission::add(LinkCounters& link, LaneCounters& lane) {
  link.lane_ = &lane;
  lane.links_.push_back(&link);
}

void Admission::remove(LinkCounters& link) {
  connection_lost(link);
  std::erase(link.lane_->links_, &link);
  link.lane_ = nullptr;
}

void Admission::reserve(LaneCounters& lane, int grabs) {
  reserved_ += grabs;
  lane.reserved_ += grabs;
  if (lane.endpoint_) lane.endpoint_->reserved_ += grabs;
}

// Slots are reserved again for the other grabs of a server that was late and has answered now.
void Admission::answered(LinkCounters& link) {
  if (std::exchange(link.late_, false)) reserve(*link.lane_, link.outstanding_);
  --link.outstanding_;
  reserve(*link.lane_, -1);
}

void Admission::job_assigned(LinkCounters& link, Ticket& ticket, FunctionCounters& function) {
  answered(link);
  rate_.take();
  ticket.state_ = Ticket::State::taken;
  ticket.last_backend_ = 0;
  ticket.function_ = &function;
  ++running_;
  ++function.running_;
  if (function.lane_) ++function.lane_->running_;
}

void Admission::grabs_are_late(LinkCounters& link) {
  if (std::exchange(link.late_, true)) return;
  reserve(*link.lane_, -link.outstanding_);
}

void Admission::connection_lost(LinkCounters& link) {
  if (!std::exchange(link.late_, false)) reserve(*link.lane_, -link.outstanding_);
  link.outstanding_ = 0;
  link.wants(0, false);
}

Admission::Admitted Admission::admit(Ticket& ticket) {
  EndpointCounters& endpoint = *ticket.function_->endpoint_;
  if (posted_ < most_posted() && has_permit(*ticket.function_)) {
    // Held jobs come first, except for a permit that is for new jobs only.
    const auto whom = endpoint.held_.empty() ? For::any_job : For::new_jobs;
    if (BackendCounters* const backend = choose(endpoint, ticket, whom)) {
      ticket.endpoint_ = &endpoint;
      post(ticket, *backend);
      return Admitted::posted;
    }
  }
  if (draining_) return Admitted::requeue;
  hold(ticket, endpoint);
  return Admitted::held;
}

// Null: no backend has a permit for the job.
Admission::BackendCounters* Admission::choose(const EndpointCounters& endpoint, const Ticket& ticket,
                                              For whom) {
  const auto& backends = endpoint.backends_;
  if (backends.size() == 1) return may_have(*backends[0], ticket, whom) ? backends[0] : nullptr;
  Shares all;
  for (const BackendCounters* backend : backends) {
    if (!may_have(*backend, ticket, whom)) continue;
    all.jobs += backend->posted_;
    all.weights += backend->weight_;
  }
  BackendCounters* chosen = nullptr;
  Rank first;
  for (BackendCounters* const backend : backends) {
    if (!may_have(*backend, ticket, whom)) continue;
    const Rank rank{backend->id_ == ticket.last_backend_, jobs_above_share(*backend, all), backend->turn_};
    if (chosen && !(rank < first)) continue;
    chosen = backend;
    first = rank;
  }
  return chosen;
}

bool Admission::may_have(const BackendCounters& backend, const Ticket& ticket, For whom) {
  return backend.has_permit() && (backend.wants_new_job_ ? ticket.last_backend_ == 0 : whom == For::any_job);
}

// How many whole jobs a backend has above its share; negative below it. Of backends with the same weight, the
// one with the fewest jobs has the lowest result. Fractions of a job are dropped, so that turns decide then:
// otherwise a backend of weight 1 beside one of weight 100 would get each job that comes while it has none.
std::int64_t Admission::jobs_above_share(const BackendCounters& backend, const Shares& all) {
  const std::int64_t above = backend.posted_ * all.weights - all.jobs * backend.weight_;
  return above <= 0 ? above / all.weights : (above + all.weights - 1) / all.weights;
}

// If a backend could not get jobs for a while, it gets no extra jobs afterwards.
void Admission::post(Ticket& ticket, BackendCounters& backend) {
  EndpointCounters& endpoint = *ticket.endpoint_;
  endpoint.turn_ = std::max(endpoint.turn_, backend.turn_);
  backend.turn_ = std::max(backend.turn_, endpoint.turn_ - std::min(endpoint.turn_, kStride)) +
                  kStride / static_cast<std::uint64_t>(backend.weight_);
  ticket.state_ = Ticket::State::posted;
  ticket.backend_ = &backend;
  ticket.last_backend_ = backend.id_;
  ++backend.posted_;
  ++posted_;
  ++ticket.endpoint_->posted_;
  ++ticket.function_->posted_;
  if (ticket.function_->lane_) ++ticket.function_->lane_->posted_;
}

void Admission::hold(Ticket& ticket, EndpointCounters& endpoint) {
  ticket.state_ = Ticket::State::held;
  ticket.endpoint_ = &endpoint;
  auto place = endpoint.held_.end();
  if (ticket.last_backend_ == 0) {
    place = std::find_if(endpoint.held_.begin(), place,
                         [](const Ticket& other) { return other.last_backend_ != 0; });
  }
  endpoint.held_.insert(place, ticket);
  ++held_;
}

void Admission::unhold(Ticket& ticket) {
  ticket.endpoint_->held_.erase(ticket.endpoint_->held_.iterator_to(ticket));
  --held_;
}

void Admission::release(Ticket& ticket) {
  if (ticket.state_ == Ticket::State::posted) {
    --posted_;
    --std::exchange(ticket.backend_, nullptr)->posted_;
    --ticket.endpoint_->posted_;
    --ticket.function_->posted_;
    if (ticket.function_->lane_) --ticket.function_->lane_->posted_;
  } else if (ticket.state_ == Ticket::State::held) {
    unhold(ticket);
  }
  ticket.state_ = Ticket::State::taken;
  ticket.endpoint_ = nullptr;
}

void Admission::end(Ticket& ticket) {
  release(ticket);
  ticket.state_ = Ticket::State::idle;
  --running_;
  FunctionCounters& function = *std::exchange(ticket.function_, nullptr);
  --function.running_;
  if (function.lane_) --function.lane_->running_;
}

Admission::Ticket* Admission::next_to_post() {
  if (held_ == 0 || posted_ >= most_posted()) return nullptr;
  for (EndpointCounters* endpoint : endpoints_) {
    if (Ticket* const next = next_to_post(*endpoint)) return next;
  }
  return nullptr;
}

// The first held job whose function has a permit left, and for which a backend has a permit.
Admission::Ticket* Admission::next_to_post(EndpointCounters& endpoint) {
  if (endpoint.held_.empty() || room(endpoint) == 0) return nullptr;
  for (Ticket& ticket : endpoint.held_) {
    if (!has_permit(*ticket.function_)) continue;
    BackendCounters* const backend = choose(endpoint, ticket, For::any_job);
    // The jobs that follow have no permit either, because jobs that were not sent yet come first.
    if (!backend) return nullptr;
    unhold(ticket);
    post(ticket, *backend);
    return &ticket;
  }
  return nullptr;
}

// Lanes take turns, and so do the links of each lane. So when slots are scarce, a server or a function with a
// lane of its own does not wait until another has no more jobs.
std::optional<Admission::Clock::time_point> Admission::share_out(Clock::time_point now,
                                                                 std::vector<Grant>& grants) {
  std::optional<Clock::time_point> wake_at;
  int free = free_slots();
  if (free <= 0) return wake_at;
  free = std::min(free, rate_room(now, wake_at));
  if (lanes_.size() == 1) {
    grant(*lanes_.front(), std::min(free, room(*lanes_.front())), grants);
  } else {
    grant_scarce(free, grants);
  }
  return wake_at;
}

// How many more jobs the rate allows. Each grab without an answer may bring one job.
int Admission::rate_room(Clock::time_point now, std::optional<Clock::time_point>& wake_at) {
  if (rate_.rate() == 0) return kNoLimit;
  const int room = std::max(rate_.available(now) - reserved_, 0);
  if (room == 0) wake_at = now + rate_.wait_for(reserved_ + 1);
  return room;
}

int Admission::room(const LaneCounters& lane) const {
  if (!lane.endpoint_) return 0;
  const int in_lane = std::max(std::min(lane.limit_, lane.window_) - lane.jobs(), 0);
  const EndpointCounters& endpoint = *lane.endpoint_;
  const int at_endpoint = room(endpoint);
  if (at_endpoint == kNoLimit) return in_lane;
  if (endpoint.wants_new_job() && endpoint.held() >= slots_ + kHeldBeyondSlots) return 0;
  const int held = endpoint.wants_new_job() ? 0 : endpoint.held();
  return std::min(in_lane, std::max(at_endpoint - held - endpoint.reserved_, 0));
}

// The permits that the endpoint's backends have left.
int Admission::room(const EndpointCounters& endpoint) {
  int room = 0;
  for (const BackendCounters* backend : endpoint.backends_) {
    if (backend->limit_ == kNoLimit) return kNoLimit;
    room += std::max(backend->limit_ - backend->posted_, 0);
  }
  return room;
}

int Admission::grabs_wanted(const LaneCounters& lane) {
  int grabs_wanted = 0;
  for (const LinkCounters* link : lane.links_) grabs_wanted += link->grabs_wanted_;
  return grabs_wanted;
}

void Admission::grant(LaneCounters& lane, int most, std::vector<Grant>& grants) {
  int left = most;
  while (left > 0) {
    if (lane.links_.size() == 1) {
      left -= grant(*lane.links_.front(), left, grants);
      break;
    }
    const auto wanting =
        static_cast<int>(std::count_if(lane.links_.begin(), lane.links_.end(),
                                       [](const LinkCounters* link) { return link->grabs_wanted_ > 0; }));
    if (wanting == 0) break;
    const int share = std::max(left / wanting, 1);
    for (std::size_t count = lane.links_.size(); count > 0 && left > 0; --count) {
      LinkCounters& link = *lane.links_[lane.next_link_++ % lane.links_.size()];
      left -= grant(link, std::min(share, left), grants);
    }
  }
  reserve(lane, most - left);
}

int Admission::grant(LinkCounters& link, int most, std::vector<Grant>& grants) {
  const int grabs = std::min(link.grabs_wanted_, most);
  if (grabs == 0) return 0;
  link.grabs_wanted_ -= grabs;
  link.outstanding_ += grabs;
  grants.push_back({&link, grabs, false});
  return grabs;
}

void Admission::wake_draining_links(std::vector<Grant>& grants) {
  for (LaneCounters* lane : lanes_) {
    for (LinkCounters* link : lane->links_) {
      if (slots_ - reserved_ - running_ <= 0) return;
      if (lane->jobs() >= lane->limit_) break;
      if (!std::exchange(link->wants_wake_grab_, false)) continue;
      ++link->outstanding_;
      reserve(*lane, 1);
      grants.push_back({link, 1, true});
    }
  }
}

// Each lane gets what it wants if there are enough slots. Otherwise slots are given one by one to the lane
// with the fewest jobs, so that a function with slow jobs leaves slots to the others.
void Admission::grant_scarce(int free, std::vector<Grant>& grants) {
  const auto takes = [this](const LaneCounters& lane) { return std::min(grabs_wanted(lane), room(lane)); };
  wanting_.clear();
  std::int64_t all = 0;
  for (LaneCounters* lane : lanes_) {
    const int some = takes(*lane);
    if (some <= 0) continue;
    wanting_.push_back(lane);
    all += some;
  }
  if (all <= free) {
    for (LaneCounters* lane : wanting_) grant(*lane, takes(*lane), grants);
    return;
  }
  for (; free > 0 && !wanting_.empty(); --free) {
    const auto next = std::min_element(
        wanting_.begin(), wanting_.end(), [](const LaneCounters* one, const LaneCounters* other) {
          return std::pair(one->jobs(), one->turn_) < std::pair(other->jobs(), other->turn_);
        });
    LaneCounters& lane = **next;
    lane.turn_ = ++turn_;
    grant(lane, 1, grants);
    if (takes(lane) <= 0) wanting_.erase(next);
  }
}

int Admission::reusable_slots(const EndpointCounters& endpoint) const {
  if (endpoint.held_.empty()) return 0;
  const int for_new_jobs = endpoint.wants_new_job() ? std::min(endpoint.held(), kHeldBeyondSlots) : 0;
  return std::max(for_new_jobs, held_for_others(endpoint));
}

// With several endpoints: the held jobs that would be held even if the pool had a permit for each job. Jobs
// of the other endpoints may use their slots.
int Admission::held_for_others(const EndpointCounters& endpoint) const {
  return endpoints_.size() < 2 ? 0 : std::max(endpoint.held() - room(endpoint), 0);
}

int Admission::count_held_without_slots() const {
  int for_others = 0;
  for (const EndpointCounters* endpoint : endpoints_) for_others += held_for_others(*endpoint);
  return std::max(for_others, std::min(held_, std::max(running_ - slots_, 0)));
}

int Admission::count_reusable_slots() const {
  int slots = 0;
  for (const EndpointCounters* endpoint : endpoints_) slots += reusable_slots(*endpoint);
  return slots;
}

void Admission::check() const {
  const auto equal = [](const char* counter, int has, int should) {
    if (has != should)
      throw std::logic_error(fmt::format("admission: {} is {}, not {}", counter, has, should));
  };
  int reserved = 0;
  for (const LaneCounters* lane : lanes_) {
    int in_lane = 0;
    for (const LinkCounters* link : lane->links_) {
      if (link->outstanding_ < 0) equal("the outstanding grabs of a link", link->outstanding_, 0);
      if (!link->late_) in_lane += link->outstanding_;
    }
    equal("the reserved slots of a lane", lane->reserved_, in_lane);
    if (lane->running_ < 0) equal("the running jobs of a lane", lane->running_, 0);
    if (lane->posted_ < 0 || lane->posted_ > lane->running_) {
      equal("the posted jobs of a lane", lane->posted_, lane->running_);
    }
    reserved += in_lane;
  }
  equal("the reserved slots", reserved_, reserved);
  int posted = 0;
  int held = 0;
  for (const EndpointCounters* endpoint : endpoints_) {
    int on_their_way = 0;
    for (const LaneCounters* lane : lanes_) {
      if (lane->endpoint_ == endpoint) on_their_way += lane->reserved_;
    }
    equal("the reserved permits of an endpoint", endpoint->reserved_, on_their_way);
    int at_backends = 0;
    for (const BackendCounters* backend : endpoint->backends_) {
      if (backend->posted_ < 0) equal("the jobs at a backend", backend->posted_, 0);
      at_backends += backend->posted_;
    }
    equal("the jobs at an endpoint", endpoint->posted_, at_backends);
    posted += endpoint->posted_;
    held += endpoint->held();
  }
  equal("the posted jobs", posted_, posted);
  equal("the held jobs", held_, held);
  if (posted + held > running_) equal("the jobs that are posted or held", posted + held, running_);
}

}  // namespace driveshaft::dispatch
