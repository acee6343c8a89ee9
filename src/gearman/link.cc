// SPDX-License-Identifier: MIT
#include "gearman/link.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <new>
#include <tuple>
#include <utility>

#include "base/backoff.h"
#include "gearman/read_buffers.h"
#include "log/log.h"
#include "net/exceptions.h"
#include "text/printable.h"

namespace driveshaft::gearman {
namespace {

using namespace std::chrono_literals;
using log::kMainLog;

// A healthy gearmand can be silent for 10 s, when it closes a connection with lingering.
constexpr std::chrono::milliseconds kLeastDeadAfter = 20s;
constexpr auto kShortestPoll = 5s;
constexpr auto kLongestPoll = 9s;  // so a delayed job runs at most 10 s late, the tick of the wheel included
// After so many bytes other connections are served.
constexpr int kReadsInTurn = 32;
constexpr int kPacketsInTurn = 64;

// A link with more unsent bytes than the high watermark is congested, until they are at the low watermark.
constexpr std::size_t kHighWatermark = 1024 * 1024;
constexpr std::size_t kLowWatermark = 256 * 1024;

// Empties a buffer and keeps its memory, unless it is large because of a big result.
void release(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > 1024 * 1024) buffer.shrink_to_fit();
}

}  // namespace

Link::Link(net::Resolver& resolver, base::DeadlineWheel& deadlines, LinkOwner& owner, Settings settings)
    : loop_(resolver.loop()),
      deadlines_(deadlines),
      owner_(owner),
      settings_(std::move(settings)),
      dead_after_(std::max<std::chrono::milliseconds>(kLeastDeadAfter, 3 * settings_.loop_timeout)),
      dialer_(resolver, deadlines, settings_.server, settings_.tls, dead_after_),
      pause_(loop_),
      stream_(loop_) {}

Link::~Link() = default;

void Link::start() {
  asio::co_spawn(
      loop_, [self = shared_from_this()] { return self->run(); },
      [self = shared_from_this()](const std::exception_ptr& bug) {
        net::kRethrow(bug);
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
      LinkError why;
      try {
        why = co_await serve();
      } catch (const std::bad_alloc&) {
        why = {"out of memory"};
      }
      report_lost(why);
      session_ends();
    }
    if (closing_ || retiring_) break;
    const auto now = Clock::now();
    pause_.expires_after(redial_.next(now, settings_.state.last_seen(now), base::random_share()));
    co_await pause_.async_wait(net::kResult);
  }
}

void Link::report_lost(const LinkError& why) {
  if (up_) lost_at_ = Clock::now();
  lost_why_ = why.message;
  if (closing_ || std::exchange(reported_down_, true)) return;
  settings_.state.failed(why.message, session_ ? session_->inflight() : 0);
}

void Link::session_begins() {
  ++generation_;
  connected_at_ = Clock::now();
  dead_.reset();
  session_.emplace(Session::Settings{settings_.client_id, settings_.functions, settings_.loop_timeout,
                                     dead_after_, base::jittered(kShortestPoll, kLongestPoll)},
                   connected_at_);
  owner_.turn_needed(*this);
}

void Link::session_ends() {
  session_.reset();
  timer_.clear();
  stream_.close();
  owner_.connection_lost(*this);
  check_congestion();
  while (!submissions_.empty()) submission_answered(Submitted::lost, "the connection was lost");
  if (std::exchange(up_, false)) {
    settings_.state.closed(Clock::now());
    owner_.link_changed(false);
  }
  // If connections break soon after they were made, the pauses between attempts grow, even if the server has
  // answered meanwhile.
  if (Clock::now() - connected_at_ > Redial::kHasLasted) redial_.reset();
}

void Link::comes_up() {
  up_ = true;
  reported_down_ = false;
  lost_why_.clear();
  settings_.state.connected();
  owner_.link_changed(true);
}

asio::awaitable<LinkError> Link::serve() {
  while (true) {
    const auto room = to_asio(session_->prepare());
    const auto [error, bytes] = co_await stream_.async_read_some(room, net::kResult);
    if (error) co_return dead_ ? *dead_ : describe_end(error);
    session_->received(bytes, Clock::now());
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
      error == asio::error::eof || error == asio::error::connection_reset || net::is_tls_cut_off(error);
  if (ended && !up_) {
    why += stream_.is_tls()
               ? ", before it sent anything (if it is a tunnel, is the gearmand behind it up?)"
               : ", before it sent anything (if it expects TLS, its entry in gearman_servers_list needs tls)";
  }
  return {fmt::format("connection lost: {}", why)};
}

// Handles the bytes that were read, and reads more if more have come. Big jobs that are handled in one turn
// of the loop are posted together, so their results come close enough to each other to share a write.
base::Result<void, LinkError> Link::handle_input(bool more) try {
  int packets = 0;
  for (int reads = 0; !closing_; ++reads) {
    auto handled = handle_packets();
    if (!handled) return handled.error();
    packets += *handled;
    if (!more || reads == kReadsInTurn || packets >= kPacketsInTurn) break;
    const auto room = to_asio(session_->prepare());
    boost::system::error_code error;
    const std::size_t bytes = stream_.read_some(room, error);
    if (error) break;  // there are no bytes, or the next read in serve() reports the error
    session_->received(bytes, Clock::now());
    more = bytes == asio::buffer_size(room);
  }
  return {};
} catch (const std::bad_alloc&) {
  return LinkError{"out of memory"};
}

base::Result<int, LinkError> Link::handle_packets() {
  Session::Event event;
  int count = 0;
  for (; !closing_; ++count) {
    if (auto read = session_->next(event); !read) return read.error();
    if (event.kind == Session::Event::Kind::needs_bytes) break;
    if (auto done = carry_out(event); !done) return done.error();
    if (!up_) comes_up();
    if (session_->state() == Session::State::closing_echo_answered) stop();
  }
  return count;
}

base::Result<void, LinkError> Link::carry_out(Session::Event& event) {
  using Kind = Session::Event::Kind;
  switch (event.kind) {
    case Kind::assigned:
      return hand_over(event);
    case Kind::no_job:
      owner_.no_job(*this);
      break;
    case Kind::falls_back:
      settings_.state.falls_back(session_->dialect(), event.error);
      owner_.no_job(*this);
      break;
    case Kind::result_refused:
      owner_.result_refused();
      break;
    case Kind::submission_accepted:
      submission_answered(Submitted::accepted, {});
      break;
    case Kind::submission_refused:
      submission_answered(Submitted::refused, event.error);
      break;
    case Kind::server_error:
      kMainLog.warn("gearmand {}: it reports an error that answers no packet: {}",
                    net::to_string(settings_.server), event.error);
      break;
    case Kind::nothing:
    case Kind::needs_bytes:
      break;
  }
  owner_.turn_needed(*this);
  return {};
}

base::Result<void, LinkError> Link::hand_over(Session::Event& assigned) {
  const Assignment& job = assigned.job;
  if (job.unique_was_cut) {
    kMainLog.debug("gearmand {}: job {}: its unique of 64 bytes came as {}…; workload repaired",
                   net::to_string(settings_.server), job.handle, job.unique);
  }
  if (owner_.job_assigned(*this, job, std::move(assigned.storage))) return {};
  return LinkError{
      fmt::format("a job for a function that was never registered: {}", text::printable(job.function, 128))};
}

void Link::submission_answered(Submitted what, std::string_view why) {
  const auto done = std::move(submissions_.front());
  submissions_.pop_front();
  ++submissions_answered_;
  if (done) done(what, why);
}

std::uint64_t Link::submit_background(std::string_view function, std::string_view unique,
                                      std::string_view workload, OnSubmitted done) {
  submissions_.push_back(std::move(done));
  try {
    session_->submit_background(function, unique, workload);
  } catch (...) {
    submissions_.pop_back();
    throw;
  }
  owner_.turn_needed(*this);
  return submissions_answered_ + submissions_.size() - 1;
}

void Link::forget_submission(std::uint64_t number) {
  if (number < submissions_answered_ || number - submissions_answered_ >= submissions_.size()) return;
  submissions_[number - submissions_answered_] = nullptr;
}

void Link::leave_unanswered(std::uint64_t generation) {
  if (!holds(generation)) return;
  session_->leave_unanswered();
  owner_.turn_needed(*this);
}

void Link::grab(int count) { session_->grab(count, Clock::now()); }

void Link::wake_grab() { session_->wake_grab(Clock::now()); }

bool Link::send_result(std::uint64_t generation, std::string_view handle, JobResult result,
                       std::string_view data) {
  if (!holds(generation)) return false;
  session_->send_result(handle, result, data);
  owner_.turn_needed(*this);
  return true;
}

void Link::send_data(std::uint64_t generation, std::string_view handle, std::string_view bytes) {
  if (!holds(generation)) return;
  session_->send_data(handle, bytes);
  owner_.turn_needed(*this);
}

void Link::send_warning(std::uint64_t generation, std::string_view handle, std::string_view text) {
  if (!holds(generation)) return;
  session_->send_warning(handle, text);
  owner_.turn_needed(*this);
}

void Link::send_status(std::uint64_t generation, std::string_view handle, std::uint32_t numerator,
                       std::uint32_t denominator) {
  if (!holds(generation)) return;
  session_->send_status(handle, numerator, denominator);
  owner_.turn_needed(*this);
}

// While one job waits for on_writable(), another one may still send.
bool Link::congested() {
  const bool is_now = session_ && unsent() > kHighWatermark;
  congested_ |= is_now;
  return is_now;
}

void Link::check_congestion() {
  if (congested_ && (!session_ || unsent() <= kLowWatermark)) {
    congested_ = false;
    owner_.on_writable(*this);
  }
}

void Link::add_functions(const std::vector<std::string>& functions) {
  settings_.functions.insert(settings_.functions.end(), functions.begin(), functions.end());
  if (!session_) return;
  session_->add_functions(functions);
  owner_.turn_needed(*this);
}

void Link::flush() {
  if (!session_) return;
  arm_timer();
  std::string& output = session_->output();
  if (output.empty() || !writing_.empty()) return;
  // Most often the kernel takes all bytes at once, and no completion handler has to run.
  boost::system::error_code error;
  const std::size_t written = stream_.write_some(asio::const_buffer(asio::buffer(output)), error);
  if (error && error != asio::error::would_block) return;  // the read in progress reports it
  if (written == output.size()) {
    release(output);
    return check_congestion();
  }
  writing_.swap(output);
  written_ = written;
  write_rest();
}

void Link::write_rest() try {
  stream_.async_wait([self = shared_from_this(), generation = generation_](boost::system::error_code error) {
    bool over = error || !self->holds(generation);
    if (!over) {
      self->written_ +=
          self->stream_.write_some(asio::const_buffer(asio::buffer(self->writing_)) + self->written_, error);
      over = error && error != asio::error::would_block;
    }
    if (!over && self->written_ < self->writing_.size()) return self->write_rest();
    release(self->writing_);
    self->written_ = 0;
    if (!over) self->flush();
    self->check_congestion();
  });
} catch (const std::bad_alloc&) {
  release(writing_);
  written_ = 0;
  dead_ = LinkError{"out of memory"};
  stream_.close();  // serve() comes back and reports it
}

void Link::retire() {
  if (retiring_) return;
  retiring_ = true;
  if (!session_) return stop();
  session_->drain();
  owner_.turn_needed(*this);
}

void Link::stop() {
  closing_ = true;
  pause_.cancel();
  dialer_.cancel();
  stream_.close();
}

// If the timer is set for an earlier time, it is set anew when it has fired.
void Link::arm_timer() {
  const auto at = session_->wake_at();
  if (timer_.is_set() && timer_at_ <= at) return;
  timer_at_ = at;
  deadlines_.set(timer_, at);
}

void Link::time_is_up() {
  auto result = session_->on_time(Clock::now(), [this] { return how_much_is_sent(); });
  if (result.dead) {
    dead_ = std::move(result.dead);
    stream_.close();  // serve() comes back and reports it
    return;
  }
  if (result.grabs_are_late) owner_.grabs_are_late(*this);
  arm_timer();
  owner_.turn_needed(*this);
}

Session::Sent Link::how_much_is_sent() {
  int unread = 0;
  if (::ioctl(stream_.socket().native_handle(), SIOCOUTQ, &unread) != 0) unread = 0;
  return {stream_.sent() - static_cast<std::uint64_t>(unread), unread == 0 && !has_unsent()};
}

}  // namespace driveshaft::gearman
