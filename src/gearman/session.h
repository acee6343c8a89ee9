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

// One connection of a worker to a gearmand, from its first byte to its last, without I/O and without a clock:
// bytes and time go in; events, bytes to send and the next time come out. A new connection has a new session,
// so nothing is left over from the one before. gearman::Link reads, writes and waits for it.
//
// The server's side of the facts (gearmand, libgearman-server/, measured against 1.1.20 and 2.0.0):
//   - Any byte from the server counts as life, and ECHO_REQ may be sent at any time. A healthy server can be
//     silent for 10 s, in a lingering close of its own.
//   - A grab is answered at once, by JOB_ASSIGN_UNIQ or NO_JOB, in the order of the grabs.
//   - A result for a job that is not this connection's is answered by ERROR JOB_NOT_FOUND; the connection
//     stays.
//   - CAN_DO for a function that has jobs sends no NOOP.
//   - A close can overtake what the server has not read yet: a reset throws it away. The answer to an
//     ECHO_REQ proves that everything before it has been read.
class Session {
 public:
  using Clock = std::chrono::steady_clock;

  enum class State {
    serving,   // takes jobs
    draining,  // takes no more, and waits for those that run
    leaving,   // has said goodbye, and waits for the answer
    left,      // it came: the server has read every result
  };

  struct Settings {
    std::string_view client_id;                 // at most 127 bytes, no spaces
    const std::vector<std::string>& functions;  // read by the constructor alone
    std::chrono::milliseconds ping_after;       // silence after which the server is asked whether it lives
    std::chrono::milliseconds dead_after;       // silence, pings included, that means that it is gone
    std::chrono::milliseconds poll;             // how long to sleep before grabbing unasked; see Grabber
  };
  // A connection is open. What it says first is in output().
  Session(const Settings& settings, Clock::time_point now);

  // What a packet of the server means to the owner.
  struct Event {
    enum class Kind {
      needs_bytes,          // there is no whole packet
      nothing,              // nothing that the owner needs to know
      assigned,             // a job answers a grab: `job`, `storage`
      no_job,               // a grab is answered: there is no job
      falls_back,           // a grab is void: the server does not know it, as `error` says; see dialect()
      result_refused,       // the server did not know a job whose result it was sent
      submission_accepted,  // of the first that has no answer
      submission_refused,   // of the first that has no answer: `error`
      complaint,            // an error that answers nothing that it was sent: `error`
    };
    Kind kind = Kind::needs_bytes;
    // What the kind does not name is left over from an event before.
    Assignment job;  // its views are valid until the next prepare(), or as long as `storage`
    std::unique_ptr<char[]> storage;
    std::string error;
  };

  // Bytes from the server: where they go, and how many have come. Then next(), until it needs more.
  PacketReader::Buffers prepare() { return reader_.prepare(); }
  void received(std::size_t bytes, Clock::time_point now);
  // The next packet's event, in `event`. An error: close the connection.
  base::Result<void, LinkError> next(Event& event);

  // When on_time() is to be called. It may change with every call of anything else.
  Clock::time_point wake_at() const;
  struct Sent {
    std::uint64_t acknowledged;  // bytes sent that the server's kernel has acknowledged
    bool all;                    // these are all bytes that there are to send
  };
  struct OnTime {
    bool grabs_are_late = false;    // they have had no answer for a while; said once, until one comes
    std::optional<LinkError> dead;  // close the connection
  };
  // `sent` is asked for only when it is needed.
  template <class HowMuchIsSent>
  OnTime on_time(Clock::time_point now, HowMuchIsSent how_much_is_sent) {
    std::optional<Sent> sent;
    if (now >= check_life_at_) sent = how_much_is_sent();
    return on_time(now, sent);
  }

  // Bytes for the server, to be sent and taken out.
  std::string& output() { return output_; }
  std::size_t unsent() const { return output_.size(); }

  // How many grabs it would send now if there were slots for their jobs.
  int grabs_wanted() const { return grabber_.wanted(); }
  void grab(int count, Clock::time_point now);  // at most grabs_wanted()
  // While draining: whether one grab would help; see Grabber::wants_unsleep().
  bool wants_unsleep() const { return inflight_ > 0 && grabber_.wants_unsleep(); }
  void unsleep(Clock::time_point now);

  // A running job's word before its end. A server that does not know the packet is not sent it.
  void send_data(std::string_view handle, std::string_view bytes);
  void send_warning(std::string_view handle, std::string_view text);
  void send_status(std::string_view handle, std::uint32_t numerator, std::uint32_t denominator);
  // Its end: one terminal packet. Throws std::bad_alloc, and has then sent nothing.
  void send_result(std::string_view handle, JobResult result, std::string_view data);
  // It ends without an answer: a server that requeues gives it to another worker when this connection closes.
  void leave_unanswered();

  // A background job. Its answer is the event SubmissionAccepted or SubmissionRefused, in order.
  void submit_background(std::string_view function, std::string_view unique, std::string_view workload);

  // Registers more functions.
  void add_functions(const std::vector<std::string>& functions);
  // Takes no more jobs; says goodbye when the last one is done.
  void drain();

  State state() const { return state_; }
  // The server has shown that it is one.
  bool greeted() const { return greeted_; }
  // Jobs assigned and not yet ended.
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
  void say_goodbye_if_done();

  // Constant after construction.
  const std::chrono::milliseconds ping_after_;
  const std::chrono::milliseconds dead_after_;

  PacketReader reader_;
  Grabber grabber_;
  std::string output_;
  State state_ = State::serving;
  bool greeted_ = false;
  int inflight_ = 0;
  int submissions_ = 0;  // without an answer
  int complaints_ = 0;
  bool grabs_are_late_ = false;
  std::uint64_t acknowledged_ = 0;  // when life was last looked for
  Clock::time_point heard_at_;      // the last byte
  Clock::time_point alive_at_;      // the last sign of life, be it that it takes in what we send
  Clock::time_point pinged_at_{};   // not before heard_at_: a ping has no answer yet
  Clock::time_point grabbed_at_{};
  Clock::time_point answered_at_{};  // a grab
  Clock::time_point check_life_at_;
};

}  // namespace driveshaft::gearman
