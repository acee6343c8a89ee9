// SPDX-License-Identifier: MIT
#include "gearman/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

namespace driveshaft::gearman {
namespace {

using namespace std::chrono_literals;
using Kind = Session::Event::Kind;

// A server answers a grab at once. After this time its grabs are late, and other servers may have the slots.
constexpr std::chrono::milliseconds kAnswerWithin = 1s;
// After so many errors that answer no packet of ours, the connection is closed. Each error is a line in the
// log.
constexpr int kMaxServerErrors = 10;

constexpr std::string_view kPing = "ping";
// The body of the closing echo. The body of a ping is another one.
constexpr std::string_view kClosingEcho = "goodbye";

}  // namespace

Session::Session(const Settings& settings, Clock::time_point now)
    : ping_after_(settings.ping_after),
      dead_after_(settings.dead_after),
      grabber_(settings.poll),
      heard_at_(now),
      alive_at_(now),
      check_life_at_(now + settings.ping_after) {
  append_packet(output_, PacketType::set_client_id, settings.client_id);
  append_packet(output_, PacketType::echo_req,
                kPing);  // without a free slot there is no grab that could be answered
  register_functions(settings.functions);
}

void Session::received(std::size_t bytes, Clock::time_point now) {
  alive_at_ = heard_at_ = now;
  reader_.commit(bytes);
}

base::Result<void, LinkError> Session::next(Event& event) {
  event.kind = Kind::needs_bytes;
  if (state_ == State::closing_echo_answered) return {};
  auto packet = reader_.next();
  if (!packet) return packet.error();
  if (!*packet) return {};
  return handle(**packet, event);
}

base::Result<void, LinkError> Session::handle(Packet& packet, Event& event) {
  event.kind = Kind::nothing;
  switch (packet.type) {
    case PacketType::job_assign:
    case PacketType::job_assign_uniq:
      return handle_job(packet, event);
    case PacketType::no_job:
      grab_is_answered();
      switch (grabber_.on_no_job(heard_at_)) {
        case Grabber::OnNoJob::unexpected:
          return LinkError{"NO_JOB without a grab"};
        case Grabber::OnNoJob::send_pre_sleep:
          append_packet(output_, PacketType::pre_sleep);
          break;
        case Grabber::OnNoJob::nothing:
          break;
      }
      event.kind = Kind::no_job;
      send_closing_echo_if_done();
      return {};
    case PacketType::noop:
      grabber_.on_noop(heard_at_);
      return {};
    case PacketType::echo_res:
      if (packet.body == kClosingEcho) state_ = State::closing_echo_answered;
      return {};
    case PacketType::job_created:
      if (submissions_ == 0) return LinkError{"JOB_CREATED without a submitted job"};
      --submissions_;
      event.kind = Kind::submission_accepted;
      return {};
    case PacketType::error:
      return handle_error(packet.body, event);
    default:
      return LinkError{"a packet that a worker cannot be sent"};
  }
}

base::Result<void, LinkError> Session::handle_job(Packet& packet, Event& event) {
  const auto job = parse_assignment(packet.type, packet.body);
  if (!job) return job.error();
  grab_is_answered();
  if (!grabber_.on_job()) return LinkError{"a job without a grab"};
  ++inflight_;
  event.kind = Kind::assigned;
  event.job = *job;
  event.storage = std::move(packet.storage);
  return {};
}

base::Result<void, LinkError> Session::handle_error(std::string_view body, Event& event) {
  event.kind = Kind::result_refused;
  if (is_job_unknown(body)) return {};
  event.error = describe_error(body);
  switch (grabber_.on_error()) {
    case Grabber::OnError::fall_back:
      grab_is_answered();
      event.kind = Kind::falls_back;
      send_closing_echo_if_done();
      return {};
    case Grabber::OnError::grabs_refused:
      return LinkError{fmt::format("it gives no jobs: it answers GRAB_JOB with {}", event.error)};
    case Grabber::OnError::not_for_grab:
      break;
  }
  event.kind = submissions_ > 0 ? Kind::submission_refused : Kind::server_error;
  if (submissions_ > 0) {  // no other packet can be refused
    --submissions_;
  } else if (++server_errors_ == kMaxServerErrors) {
    return LinkError{fmt::format("it reported {} errors that answer no packet, the last one: {}",
                                 kMaxServerErrors, event.error)};
  }
  return {};
}

Session::Clock::time_point Session::wake_at() const {
  auto at = check_life_at_;
  if (const auto wake = grabber_.wake_at()) at = std::min(at, *wake);
  if (grabber_.outstanding() > 0 && !grabs_are_late_) {
    at = std::min(at, std::max(answered_at_, grabbed_at_) + kAnswerWithin);
  }
  return at;
}

Session::OnTime Session::on_time(Clock::time_point now, const std::optional<Sent>& sent) {
  OnTime result;
  grabber_.on_time(now);
  send_closing_echo_if_done();
  if (grabber_.outstanding() > 0 && !grabs_are_late_ &&
      now >= std::max(answered_at_, grabbed_at_) + kAnswerWithin) {
    grabs_are_late_ = result.grabs_are_late = true;
  }
  if (sent) check_life(now, *sent, result);
  return result;
}

// Over a slow network a big result takes long, and the answer to a ping waits behind it. As long as the
// server acknowledges more of our bytes, it is alive. Once it has acknowledged all of them, it has to answer.
void Session::check_life(Clock::time_point now, const Sent& sent, OnTime& result) {
  const bool took_more = sent.acknowledged > std::exchange(acknowledged_, sent.acknowledged);
  if (took_more && !sent.all) alive_at_ = now;
  if (now - alive_at_ >= dead_after_) {
    result.dead = LinkError{
        fmt::format("connection lost: nothing came back for {} s, not even to a ping", dead_after_ / 1s)};
    return;
  }
  if (now - heard_at_ >= ping_after_ && pinged_at_ < heard_at_) {
    pinged_at_ = now;
    append_packet(output_, PacketType::echo_req, kPing);
  }
  const bool waits_for_answer = pinged_at_ >= heard_at_;
  check_life_at_ = std::min((waits_for_answer ? now : heard_at_) + ping_after_, alive_at_ + dead_after_);
}

void Session::grab(int count, Clock::time_point now) {
  grabber_.granted(count);
  grabbed_at_ = now;
  for (; count > 0; --count) append_packet(output_, grab_packet(grabber_.dialect()));
}

void Session::wake_grab(Clock::time_point now) {
  grabber_.wake_grab_granted();
  grabbed_at_ = now;
  append_packet(output_, grab_packet(grabber_.dialect()));
}

void Session::grab_is_answered() {
  answered_at_ = heard_at_;
  grabs_are_late_ = false;
}

void Session::send_data(std::string_view handle, std::string_view bytes) {
  if (knows(dialect(), PacketType::work_data)) append_packet(output_, PacketType::work_data, handle, bytes);
}

void Session::send_warning(std::string_view handle, std::string_view text) {
  if (knows(dialect(), PacketType::work_warning)) {
    append_packet(output_, PacketType::work_warning, handle, text);
  }
}

void Session::send_status(std::string_view handle, std::uint32_t numerator, std::uint32_t denominator) {
  append_packet(output_, PacketType::work_status, handle, std::to_string(numerator),
                std::to_string(denominator));
}

void Session::send_result(std::string_view handle, JobResult result, std::string_view data) {
  append_end(output_, dialect(), handle, result, data);
  --inflight_;
  send_closing_echo_if_done();
}

void Session::leave_unanswered() {
  --inflight_;
  send_closing_echo_if_done();
}

void Session::submit_background(std::string_view function, std::string_view unique,
                                std::string_view workload) {
  append_packet(output_, PacketType::submit_job_bg, function, unique, workload);
  ++submissions_;
}

void Session::add_functions(const std::vector<std::string>& functions) {
  register_functions(functions);
  grabber_.wake();
}

void Session::register_functions(const std::vector<std::string>& functions) {
  for (const auto& function : functions) append_packet(output_, PacketType::can_do, function);
}

void Session::drain() {
  if (state_ != State::serving) return;
  state_ = State::draining;
  grabber_.drain();
  send_closing_echo_if_done();
}

void Session::send_closing_echo_if_done() {
  if (state_ != State::draining || inflight_ > 0 || grabber_.outstanding() > 0) return;
  try {
    append_packet(output_, PacketType::echo_req, kClosingEcho);
    state_ = State::closing_echo_sent;
  } catch (const std::bad_alloc&) {  // on_time() tries again
  }
}

}  // namespace driveshaft::gearman
