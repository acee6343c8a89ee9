// SPDX-License-Identifier: MIT
#include "gearman/link.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/exceptions.h"
#include "base/log.h"

namespace driveshaft::gearman {
namespace {

using namespace std::chrono_literals;
using base::kMainLog;
using Clock = Grabber::Clock;

constexpr auto kFirstPause = 100ms;
constexpr auto kLongestPause = 5s;
// A healthy gearmand can stall for 10 s, in a lingering close of its own.
constexpr std::chrono::milliseconds kLeastDeadAfter = 20s;
constexpr auto kShortestPoll = 5s;
constexpr auto kLongestPoll = 9s;   // with the wheel's tick, delayed jobs run within 10 s of their time
constexpr int kReadsInTurn = 32;    // then others are served,
constexpr int kPacketsInTurn = 64;  // and after so many

// A grab is answered at once. The slots of one that is not are of use to other servers meanwhile.
constexpr std::chrono::milliseconds kAnswerWithin = 1s;

// What may wait to be sent before jobs are asked to tell no more; and when they may again.
constexpr std::size_t kMostUnsent = 1024 * 1024;
constexpr std::size_t kFewUnsent = 256 * 1024;

// Errors that answer no packet of ours, from one connection: each is a line in the log.
constexpr int kErrorsBorne = 10;

constexpr std::string_view kPing = "ping";
constexpr std::string_view kGoodbye = "goodbye";

// Empties a buffer and keeps its memory, unless a big result made it big.
void release(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > 1024 * 1024) buffer.shrink_to_fit();
}

std::array<asio::mutable_buffer, 2> to_asio(const PacketReader::Buffers& room) {
  return {asio::buffer(room[0].data(), room[0].size()), asio::buffer(room[1].data(), room[1].size())};
}

}  // namespace

Link::Link(base::Resolver& resolver, base::DeadlineWheel& deadlines, LinkOwner& owner, Settings settings)
    : loop_(resolver.loop()),
      deadlines_(deadlines),
      owner_(owner),
      settings_(std::move(settings)),
      dead_after_(std::max<std::chrono::milliseconds>(kLeastDeadAfter, 3 * settings_.loop_timeout)),
      dialer_(resolver, deadlines, settings_.server, settings_.tls, dead_after_),
      pause_(loop_),
      backoff_(kFirstPause, kLongestPause),
      stream_(loop_),
      grabber_(kShortestPoll) {}

Link::~Link() = default;

void Link::start() {
  asio::co_spawn(
      loop_, [self = shared_from_this()] { return self->run(); },
      [self = shared_from_this()](const std::exception_ptr& bug) {
        base::kRethrow(bug);
        self->owner_.link_closed(*self);
      });
}

asio::awaitable<void> Link::run() {
  while (!closing_ && !retiring_) {
    auto dialled = co_await dialer_.dial();
    if (!dialled) {
      report_lost(dialled.error());
    } else if (!closing_ && !retiring_) {
      stream_ = std::move(*dialled);
      session_begins();
      const LinkError why = co_await serve();
      report_lost(why);
      session_ends();
    }
    if (closing_ || retiring_) break;
    pause_.expires_after(backoff_.next());
    co_await pause_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void Link::report_lost(const LinkError& why) {
  if (greeted_) lost_at_ = Clock::now();
  lost_why_ = why.message;
  if (closing_ || std::exchange(reported_down_, true)) return;
  settings_.state.failed(why.message, inflight_);
}

void Link::session_begins() {
  ++generation_;
  connected_ = true;
  reader_ = PacketReader();
  grabber_ = Grabber(base::jittered(kShortestPoll, kLongestPoll));
  connected_at_ = alive_at_ = heard_at_ = Clock::now();
  pinged_at_ = {};
  taken_in_ = 0;
  greeted_ = false;
  goodbye_sent_ = false;
  errors_ = 0;
  inflight_ = 0;
  append_packet(out_, PacketType::set_client_id, settings_.client_id);
  append_packet(out_, PacketType::echo_req, kPing);  // without a free slot nothing else would be answered
  send_can_do(settings_.functions);
  deadlines_.set(life_timer_, settings_.loop_timeout);
  owner_.turn_needed();
}

void Link::session_ends() {
  connected_ = false;
  inflight_ = 0;
  const bool was_greeted = std::exchange(greeted_, false);
  out_.clear();
  nap_timer_.clear();
  answer_timer_.clear();
  life_timer_.clear();
  stream_.close();
  owner_.slots_released(grabber_.outstanding() - std::exchange(lent_, 0));
  relieve();
  while (!submissions_.empty()) std::ignore = handle_submitted(Submitted::lost, "the connection was lost");
  if (was_greeted) {
    settings_.state.closed();
    owner_.link_changed(false);
  }
  // What breaks soon after it was made is approached more and more slowly, whatever it said in between.
  if (Clock::now() - connected_at_ > kLongestPause) backoff_.reset();
}

void Link::greeted() {
  greeted_ = true;
  reported_down_ = false;
  lost_why_.clear();
  settings_.state.connected();
  owner_.link_changed(true);
}

asio::awaitable<LinkError> Link::serve() {
  while (true) {
    const auto room = to_asio(reader_.prepare());
    const auto [error, bytes] = co_await stream_.async_read_some(room, asio::as_tuple(asio::use_awaitable));
    if (error) {
      if (timed_out_) {
        co_return LinkError{
            fmt::format("connection lost: nothing came back for {} s, not even to a ping", dead_after_ / 1s)};
      }
      co_return describe_end(error);
    }
    alive_at_ = heard_at_ = Clock::now();
    reader_.commit(bytes);
    owner_.input_begins();
    const auto handled = handle_input(bytes == asio::buffer_size(room));
    owner_.input_ends();
    if (!handled) co_return handled.error();
    if (closing_) co_return LinkError{"closed by us"};
  }
}

LinkError Link::describe_end(const boost::system::error_code& error) const {
  std::string why = error == asio::error::eof ? "closed by the server" : error.message();
  const bool ended =
      error == asio::error::eof || error == asio::error::connection_reset || base::is_tls_cut_off(error);
  if (ended && !greeted_) {
    why += stream_.is_tls()
               ? ", before it said anything (if it is a tunnel, is the gearmand behind it up?)"
               : ", before it said anything (if it expects TLS, its entry in gearman_servers_list needs tls)";
  }
  return {fmt::format("connection lost: {}", why)};
}

// Handles what was read, and takes in what more has come: handled in one turn of the loop, big jobs are sent
// on at once, and their results come back close enough to each other to share a write.
base::Result<void, LinkError> Link::handle_input(bool more) {
  int packets = 0;
  for (int reads = 0; !closing_; ++reads) {
    auto handled = handle_packets();
    if (!handled) return handled.error();
    packets += *handled;
    if (!more || reads == kReadsInTurn || packets >= kPacketsInTurn) break;
    const auto room = to_asio(reader_.prepare());
    boost::system::error_code error;
    const std::size_t bytes = stream_.read_some(room, error);
    if (error) break;  // nothing there, or the next read in serve() reports it
    reader_.commit(bytes);
    more = bytes == asio::buffer_size(room);
  }
  return {};
}

base::Result<int, LinkError> Link::handle_packets() {
  int count = 0;
  for (; !closing_; ++count) {
    auto packet = reader_.next();
    if (!packet) return packet.error();
    if (!*packet) break;
    auto handled = handle(std::move(**packet));
    if (!handled) return handled.error();
    if (!greeted_) greeted();
  }
  return count;
}

base::Result<void, LinkError> Link::handle(Packet packet) {
  switch (packet.type) {
    case PacketType::job_assign_uniq:
      return handle_job(std::move(packet));
    case PacketType::no_job:
      grab_is_answered();
      switch (grabber_.on_no_job(heard_at_)) {
        case Grabber::OnNoJob::out_of_step:
          return LinkError{"NO_JOB without a grab"};
        case Grabber::OnNoJob::send_pre_sleep:
          append_packet(out_, PacketType::pre_sleep);
          set_nap_timer();
          break;
        case Grabber::OnNoJob::nothing:
          break;
      }
      owner_.slots_released(1);
      owner_.turn_needed();
      break;
    case PacketType::noop:
      if (!grabber_.on_noop(heard_at_)) return {};
      set_nap_timer();
      owner_.turn_needed();
      break;
    case PacketType::echo_res:
      if (packet.body == kGoodbye) stop();
      return {};
    case PacketType::job_created:
      return handle_submitted(Submitted::accepted, {});
    case PacketType::error:
      if (packet.body.starts_with("JOB_NOT_FOUND")) {
        owner_.result_refused();
      } else if (!submissions_.empty()) {  // of our packets no other is refused
        return handle_submitted(Submitted::refused, describe_error(packet.body));
      } else {
        kMainLog.warn("gearmand {}: it reports {}", base::to_string(settings_.server),
                      describe_error(packet.body));
        if (++errors_ == kErrorsBorne) {
          return LinkError{fmt::format("it reported {} errors to nothing that it was asked", kErrorsBorne)};
        }
      }
      break;
    default:
      return LinkError{"a packet that a worker cannot be sent"};
  }
  say_goodbye_if_done();
  return {};
}

base::Result<void, LinkError> Link::handle_job(Packet packet) {
  const auto job = parse_assignment(packet.body);
  if (!job) return job.error();
  grab_is_answered();
  if (!grabber_.on_job()) return LinkError{"a job without a grab"};
  ++inflight_;
  if (job->unique_was_cut) {
    kMainLog.debug("gearmand {}: job {}: its unique of 64 bytes came as {}…; workload repaired",
                   base::to_string(settings_.server), job->handle, job->unique);
  }
  if (!owner_.job_assigned(*this, *job, std::move(packet.storage))) {
    return LinkError{fmt::format("a job for a function that was never registered: {}",
                                 base::printable(job->function, 128))};
  }
  return {};
}

base::Result<void, LinkError> Link::handle_submitted(Submitted what, std::string_view why) {
  if (submissions_.empty()) return LinkError{"JOB_CREATED without a submitted job"};
  const auto done = std::move(submissions_.front());
  submissions_.pop_front();
  ++submissions_answered_;
  if (done) done(what, why);
  return {};
}

std::uint64_t Link::submit_background(std::string_view function, std::string_view unique,
                                      std::string_view workload, OnSubmitted done) {
  append_packet(out_, PacketType::submit_job_bg, function, unique, workload);
  submissions_.push_back(std::move(done));
  owner_.turn_needed();
  return submissions_answered_ + submissions_.size() - 1;
}

void Link::forget_submission(std::uint64_t number) {
  if (number < submissions_answered_ || number - submissions_answered_ >= submissions_.size()) return;
  submissions_[number - submissions_answered_] = nullptr;
}

void Link::leave_unanswered(std::uint64_t generation) {
  if (!holds(generation)) return;
  --inflight_;
  say_goodbye_if_done();
}

void Link::grab(int count) {
  grabber_.granted(count);
  grabbed_at_ = Clock::now();
  for (; count > 0; --count) append_packet(out_, PacketType::grab_job_uniq);
  if (!answer_timer_.is_set()) deadlines_.set(answer_timer_, kAnswerWithin);
}

void Link::unsleep() {
  grabber_.granted_unsleep();
  grabbed_at_ = Clock::now();
  append_packet(out_, PacketType::grab_job_uniq);
  if (!answer_timer_.is_set()) deadlines_.set(answer_timer_, kAnswerWithin);
}

void Link::answer_is_late() {
  if (grabber_.outstanding() == 0) return;
  const auto due = std::max(answered_at_, grabbed_at_) + kAnswerWithin;
  if (Clock::now() < due) return deadlines_.set(answer_timer_, due);
  lent_ = grabber_.outstanding();
  owner_.slots_released(lent_);
  owner_.turn_needed();
}

void Link::grab_is_answered() {
  answered_at_ = heard_at_;
  if (lent_ == 0) return;
  owner_.slots_released(-std::exchange(lent_, 0));
  deadlines_.set(answer_timer_, kAnswerWithin);
}

bool Link::finish(std::uint64_t generation, std::string_view handle, Verdict verdict, std::string_view data) {
  if (!holds(generation)) return false;
  switch (verdict) {
    case Verdict::complete:
      append_packet(out_, PacketType::work_complete, handle, data);
      break;
    case Verdict::exception:
      append_packet(out_, PacketType::work_exception, handle, data);
      break;
    case Verdict::warning_and_fail:
      append_packet(out_, PacketType::work_warning, handle, data);
      [[fallthrough]];
    case Verdict::fail:
      append_packet(out_, PacketType::work_fail, handle);
      break;
  }
  --inflight_;
  say_goodbye_if_done();
  owner_.turn_needed();
  return true;
}

void Link::tell(std::uint64_t generation, PacketType type, std::string_view handle, std::string_view data) {
  if (!holds(generation)) return;
  append_packet(out_, type, handle, data);
  owner_.turn_needed();
}

void Link::tell_data(std::uint64_t generation, std::string_view handle, std::string_view bytes) {
  tell(generation, PacketType::work_data, handle, bytes);
}

void Link::tell_warning(std::uint64_t generation, std::string_view handle, std::string_view text) {
  tell(generation, PacketType::work_warning, handle, text);
}

void Link::tell_status(std::uint64_t generation, std::string_view handle, std::uint32_t numerator,
                       std::uint32_t denominator) {
  if (!holds(generation)) return;
  append_packet(out_, PacketType::work_status, handle, std::to_string(numerator),
                std::to_string(denominator));
  owner_.turn_needed();
}

bool Link::congested() {
  congested_ = connected_ && unsent() > kMostUnsent;
  return congested_;
}

void Link::relieve() {
  if (congested_ && (!connected_ || unsent() <= kFewUnsent)) {
    congested_ = false;
    owner_.relieved(*this);
  }
}

void Link::add_functions(const std::vector<std::string>& functions) {
  settings_.functions.insert(settings_.functions.end(), functions.begin(), functions.end());
  if (!connected_) return;
  send_can_do(functions);
  grabber_.wake();  // registering a function that has jobs sends no NOOP
  set_nap_timer();
  owner_.turn_needed();
}

void Link::send_can_do(const std::vector<std::string>& functions) {
  for (const auto& function : functions) append_packet(out_, PacketType::can_do, function);
}

void Link::flush() {
  if (out_.empty() || !connected_ || !writing_.empty()) return;
  // Most often the kernel takes it all at once, and no completion needs to go through the loop.
  boost::system::error_code error;
  const std::size_t written = stream_.write_some(asio::const_buffer(asio::buffer(out_)), error);
  if (error && error != asio::error::would_block) return;  // the reading side reports it
  if (written == out_.size()) {
    release(out_);
    return relieve();
  }
  writing_.swap(out_);
  written_ = written;
  write_rest();
}

void Link::write_rest() {
  stream_.async_wait([self = shared_from_this(), generation = generation_](boost::system::error_code error) {
    bool over = error || generation != self->generation_ || !self->connected_;
    if (!over) {
      self->written_ +=
          self->stream_.write_some(asio::const_buffer(asio::buffer(self->writing_)) + self->written_, error);
      over = error && error != asio::error::would_block;
    }
    if (!over && self->written_ < self->writing_.size()) return self->write_rest();
    release(self->writing_);
    self->written_ = 0;
    if (!over) self->flush();
    self->relieve();
  });
}

void Link::retire() {
  if (retiring_) return;
  retiring_ = true;
  grabber_.drain();
  if (!connected_) return stop();
  nap_timer_.clear();
  say_goodbye_if_done();
  owner_.turn_needed();
}

// A close can overtake what the server has not yet read: a reset throws it away. The answer to an echo proves
// that everything before it has been read.
void Link::say_goodbye_if_done() {
  if (!retiring_ || goodbye_sent_ || inflight_ > 0 || grabber_.outstanding() > 0) return;
  goodbye_sent_ = true;
  append_packet(out_, PacketType::echo_req, kGoodbye);
  owner_.turn_needed();
}

void Link::stop() {
  closing_ = true;
  pause_.cancel();
  dialer_.cancel();
  stream_.close();
}

void Link::set_nap_timer() {
  if (const auto at = grabber_.wake_at()) {
    deadlines_.set(nap_timer_, *at);
  } else {
    nap_timer_.clear();
  }
}

void Link::nap_is_over() {
  grabber_.on_time(Clock::now());
  set_nap_timer();
  owner_.turn_needed();
}

void Link::check_life() {
  const auto now = Clock::now();
  if (is_reading()) alive_at_ = now;
  if (now - alive_at_ >= dead_after_) {
    timed_out_ = true;
    stream_.close();  // serve() comes back and reports it
    return;
  }
  if (now - heard_at_ >= settings_.loop_timeout && pinged_at_ < heard_at_) {
    pinged_at_ = now;
    append_packet(out_, PacketType::echo_req, kPing);
    owner_.turn_needed();
  }
  const bool waiting_for_ping = pinged_at_ >= heard_at_;
  const auto next_ping = (waiting_for_ping ? now : heard_at_) + settings_.loop_timeout;
  deadlines_.set(life_timer_, std::min(next_ping, alive_at_ + dead_after_));
}

// Over a slow link a big result takes long, and the answer to a ping waits behind it. As long as the server
// takes more of it in, it lives. What it has taken in whole proves nothing more: then it has to answer.
bool Link::is_reading() {
  int unread = 0;
  if (::ioctl(stream_.socket().native_handle(), SIOCOUTQ, &unread) != 0) return false;
  const auto before = std::exchange(taken_in_, stream_.sent() - static_cast<std::uint64_t>(unread));
  return (unread > 0 || has_unsent()) && taken_in_ > before;
}

}  // namespace driveshaft::gearman
