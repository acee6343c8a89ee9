// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gearman/dialect.h"
#include "gearman/grabber.h"
#include "gearman/packet.h"

namespace driveshaft::gearman {

// The protocol of one connection from a worker to a gearmand, from the first byte to the last. A session has
// no I/O and no clock: its input is bytes and time, its output is events, bytes to send, and the time of the
// next call. A new connection has a new session, so no state is left from an earlier connection.
// gearman::Link reads, writes and waits for the session.
//
// What gearmand does (libgearman-server/, measured with 1.1.20 and 2.0.0):
//   - Any byte from the server shows that it is alive, and ECHO_REQ may be sent at any time. A healthy server
//     can be silent for 10 s, when it closes a connection with lingering.
//   - A grab is answered at once, by JOB_ASSIGN_UNIQ or NO_JOB, in the order of the grabs.
//   - A result for a job that does not belong to this connection is answered by ERROR JOB_NOT_FOUND; the
//     connection stays open.
//   - CAN_DO for a function that has jobs sends no NOOP.
//   - When a connection is reset, the server may lose bytes that it has not read yet. The answer to an
//     ECHO_REQ proves that the server has read everything before it. So the last packet of a connection is an
//     ECHO_REQ, the closing echo.
class Session {
 public:
  using Clock = std::chrono::steady_clock;

  enum class State {
    serving,                // takes jobs
    draining,               // takes no more jobs, and waits for the running ones
    closing_echo_sent,      // the closing echo follows the last result
    closing_echo_answered,  // the server has read every result
  };

  struct Settings {
    std::string_view client_id;                 // at most 127 bytes, no spaces
    const std::vector<std::string>& functions;  // used by the constructor only
    std::chrono::milliseconds ping_after;       // a server that is silent for so long is sent a ping
    std::chrono::milliseconds dead_after;       // a server that is silent for so long is given up
    std::chrono::milliseconds poll;             // how long to sleep before a poll; see Grabber
  };
  // A connection is open. output() has the first packets for the server.
  Session(const Settings& settings, Clock::time_point now);

  // What a packet from the server means to the owner.
  struct Event {
    enum class Kind {
      needs_bytes,          // there is no whole packet yet
      nothing,              // the owner need not know it
      assigned,             // a job answers a grab: `job`, `storage`
      no_job,               // NO_JOB answers a grab
      falls_back,           // the server does not know GRAB_JOB_UNIQ, as `error` says; see dialect()
      result_refused,       // the server does not know the job of a result
      submission_accepted,  // the earliest unanswered submission
      submission_refused,   // the earliest unanswered submission: `error`
      server_error,         // `error` answers no packet of ours
    };
    Kind kind = Kind::needs_bytes;
    // Fields that the kind does not name may have values from an earlier event.
    Assignment job;  // the views are valid until the next prepare(), or as long as `storage`
    std::unique_ptr<char[]> storage;
    std::string error;
  };

  // Bytes from the server: the buffers for them, and how many bytes have come. Then call next() until it
  // needs more bytes.
  PacketReader::Buffers prepare() { return reader_.prepare(); }
  void received(std::size_t bytes, Clock::time_point now);
  // Puts the event of the next packet into `event`. An error: close the connection.
  base::Result<void, LinkError> next(Event& event);

  // When on_time() is to be called. Every other call may change this.
  Clock::time_point wake_at() const;
  struct Sent {
    std::uint64_t acknowledged;  // bytes that the kernel of the server has acknowledged
    bool all;                    // the server has acknowledged all bytes, and none waits to be sent
  };
  struct OnTime {
    bool grabs_are_late = false;    // no grab was answered for a second; true once, until an answer comes
    std::optional<LinkError> dead;  // close the connection
  };
  // `how_much_is_sent` is called only if it is needed.
  template <class HowMuchIsSent>
  OnTime on_time(Clock::time_point now, HowMuchIsSent how_much_is_sent) {
    std::optional<Sent> sent;
    if (now >= check_life_at_) sent = how_much_is_sent();
    return on_time(now, sent);
  }

  // The bytes for the server. Whoever sends them removes them.
  std::string& output() { return output_; }
  std::size_t unsent() const { return output_.size(); }

  // How many grabs to send now, if there are slots.
  int grabs_wanted() const { return grabber_.grabs_wanted(); }
  void grab(int count, Clock::time_point now);  // at most grabs_wanted()
  // While draining: whether to send a wake grab; see Grabber::wants_wake_grab().
  bool wants_wake_grab() const { return inflight_ > 0 && grabber_.wants_wake_grab(); }
  void wake_grab(Clock::time_point now);

  // Progress of a running job. Nothing is sent if the server does not know the packet.
  void send_data(std::string_view handle, std::string_view bytes);
  void send_warning(std::string_view handle, std::string_view text);
  void send_status(std::string_view handle, std::uint32_t numerator, std::uint32_t denominator);
  // Ends a job, with one terminal packet. May throw std::bad_alloc; then nothing is sent, and the job still
  // runs.
  void send_result(std::string_view handle, JobResult result, std::string_view data);
  // A job ends without a result. A server that requeues gives it to another worker when this connection
  // closes.
  void leave_unanswered();

  // Submits a background job. The event submission_accepted or submission_refused follows, in the order of
  // the submissions.
  void submit_background(std::string_view function, std::string_view unique, std::string_view workload);

  // Registers more functions.
  void add_functions(const std::vector<std::string>& functions);
  // Takes no more jobs, and sends the closing echo when the last job is done.
  void drain();

  State state() const { return state_; }
  // Jobs that are assigned and not ended.
  int inflight() const { return inflight_; }
  Dialect dialect() const { return grabber_.dialect(); }

 private:
  base::Result<void, LinkError> handle(Packet& packet, Event& event);
  base::Result<void, LinkError> handle_job(Packet& packet, Event& event);
  base::Result<void, LinkError> handle_error(std::string_view body, Event& event);
  OnTime on_time(Clock::time_point now, const std::optional<Sent>& sent);
  void check_life(Clock::time_point now, const Sent& sent, OnTime& result);
  void grab_is_answered();
  void register_functions(const std::vector<std::string>& functions);
  void send_closing_echo_if_done();

  // Constant after construction.
  const std::chrono::milliseconds ping_after_;
  const std::chrono::milliseconds dead_after_;

  PacketReader reader_;
  Grabber grabber_;
  std::string output_;
  State state_ = State::serving;
  int inflight_ = 0;
  int submissions_ = 0;  // without an answer
  int server_errors_ = 0;
  bool grabs_are_late_ = false;
  std::uint64_t acknowledged_ = 0;  // when check_life() was last called
  Clock::time_point heard_at_;      // when the last byte came
  Clock::time_point alive_at_;      // when a byte came, or the server acknowledged more of our bytes
  Clock::time_point pinged_at_{};   // at or after heard_at_: the ping has no answer yet
  Clock::time_point grabbed_at_{};
  Clock::time_point answered_at_{};  // of a grab
  Clock::time_point check_life_at_;
};

}  // namespace driveshaft::gearman
