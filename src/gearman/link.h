// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/asio.h"
#include "base/backoff.h"
#include "base/deadlines.h"
#include "base/stream.h"
#include "base/tls.h"
#include "gearman/dialect.h"
#include "gearman/dialer.h"
#include "gearman/grabber.h"
#include "gearman/packet.h"
#include "gearman/server_state.h"

namespace driveshaft::gearman {

class Link;

// What a link tells the pool it works for. Called on the loop's thread, from within the link.
class LinkOwner {
 public:
  // A job came for one of the reserved slots. The views in `job` last as long as the call; when `storage` is
  // set they lie in it, and it may be kept. False: it is of a function that was never registered.
  [[nodiscard]] virtual bool job_assigned(Link& link, const Assignment& job,
                                          std::unique_ptr<char[]> storage) = 0;
  // `count` slots reserved by grab() are free again, or with a negative one are reserved again: a server that
  // was late answers. Its jobs may then be more than there are slots.
  virtual void slots_released(int count) = 0;
  // The link has something to send, or may want grabs: call flush() at the end of this turn of the loop.
  virtual void turn_needed() = 0;
  // What waited to be sent over a congested link is gone: sent, or lost with its connection.
  virtual void relieved(Link& link) = 0;
  // Between these two the link handles what it has read: their end is soon enough for turn_needed().
  virtual void input_begins() = 0;
  virtual void input_ends() = 0;
  // It has (true) or has lost (false) a connection to something that speaks the protocol.
  virtual void link_changed(bool connected) = 0;
  // The server did not know a job whose result it was sent.
  virtual void result_refused() = 0;
  // After retire() or stop(): it will call no more, and may be let go.
  virtual void link_closed(Link& link) = 0;

 protected:
  ~LinkOwner() = default;
};

// What became of a job that a link submitted.
enum class Submitted {
  accepted,
  refused,  // the server says why
  lost,     // with the connection; it may have been accepted
};

// One connection to one gearmand, kept for ever: connects, registers functions, carries any number of jobs,
// notices a dead server, and starts over with a back-off. Lives on the loop's thread, held by its owner and
// by the jobs that came through it; the owner outlives it up to link_closed().
class Link : public std::enable_shared_from_this<Link> {
 public:
  struct Settings {
    base::Address server;
    ServerState& state;     // of that server; outlives the link
    std::string client_id;  // at most 127 bytes, no spaces
    std::vector<std::string> functions;
    std::chrono::milliseconds loop_timeout;  // silence after which the server is asked whether it lives
    std::shared_ptr<base::TlsClient> tls = nullptr;  // null for plain text
  };

  Link(base::Resolver& resolver, base::DeadlineWheel& deadlines, LinkOwner& owner, Settings settings);
  Link(const Link&) = delete;
  ~Link();

  void start();

  const base::Address& server() const { return settings_.server; }
  const base::TlsClient* tls() const { return settings_.tls.get(); }
  bool connected() const { return connected_; }

  struct State {
    bool connected;  // to something that has shown that it is a gearmand
    Grabber::Clock::time_point since;
    std::string_view why;  // not connected: what the last connection or attempt ended with
  };
  State state() const { return {greeted_, greeted_ ? connected_at_ : lost_at_, lost_why_}; }
  bool retiring() const { return retiring_; }

  // What a running job tells before its end. On a connection other than that of `generation` it is dropped:
  // gearmand runs the job again. So are data and warnings for a server that does not know them.
  void tell_data(std::uint64_t generation, std::string_view handle, std::string_view bytes);
  void tell_warning(std::uint64_t generation, std::string_view handle, std::string_view text);
  void tell_status(std::uint64_t generation, std::string_view handle, std::uint32_t numerator,
                   std::uint32_t denominator);
  // More waits to be sent than is good. Once it is gone, the owner is told (relieved()).
  bool congested();

  // How many grabs it would send now if it had the slots.
  int wanted() const { return connected_ && lent_ == 0 ? grabber_.wanted() : 0; }
  // Sends `count` grabs, at most wanted(); the owner has reserved a slot for each.
  void grab(int count);
  // While retiring: whether one grab, for which the owner has a slot, would help (see
  // Grabber::wants_unsleep()).
  bool wants_unsleep() const { return connected_ && lent_ == 0 && inflight_ > 0 && grabber_.wants_unsleep(); }
  void unsleep();

  // The connection's number; a job belongs to the one it came through.
  std::uint64_t generation() const { return generation_; }
  // The end of a job. False: its connection is gone, the server runs the job again if it requeues().
  [[nodiscard]] bool finish(std::uint64_t generation, std::string_view handle, Verdict verdict,
                            std::string_view data);

  // Whether that connection is still the present one.
  bool holds(std::uint64_t generation) const { return connected_ && generation == generation_; }
  // Whether the server gives jobs to another worker when their connection closes; otherwise they fail.
  bool requeues() const { return settings_.state.dialect() == Dialect::gearmand; }
  // A job is left unanswered: a server that requeues() gives it to another worker when this connection
  // closes.
  void leave_unanswered(std::uint64_t generation);

  using OnSubmitted = std::function<void(Submitted what, std::string_view why)>;
  // Submits a background job on the present connection. `done` is called once, not from within, unless
  // forget_submission() takes back the number that this returns.
  std::uint64_t submit_background(std::string_view function, std::string_view unique,
                                  std::string_view workload, OnSubmitted done);
  void forget_submission(std::uint64_t number);

  // Registers more functions, now and at each later connection.
  void add_functions(const std::vector<std::string>& functions);

  // Writes what this turn produced in one send.
  void flush();

  // Whether the kernel has yet to take results.
  bool has_unsent() const { return !out_.empty() || !writing_.empty(); }

  // Takes no more jobs, waits for the running ones, makes sure that the server has read every result, closes.
  void retire();
  // Closes at once; the server gives unfinished jobs to other workers.
  void stop();

 private:
  using Timer = base::MemberDeadline<Link>;

  asio::awaitable<void> run();
  asio::awaitable<LinkError> serve();
  LinkError describe_end(const boost::system::error_code& error) const;

  void session_begins();
  void session_ends();
  void report_lost(const LinkError& why);
  void greeted();
  base::Result<void, LinkError> handle_input(bool more);
  base::Result<int, LinkError> handle_packets();
  base::Result<void, LinkError> handle(Packet packet);
  base::Result<void, LinkError> handle_job(Packet packet);
  base::Result<void, LinkError> handle_error(std::string_view body);
  base::Result<void, LinkError> handle_submitted(Submitted what, std::string_view why);
  void send_can_do(const std::vector<std::string>& functions);
  void set_nap_timer();
  void say_goodbye_if_done();

  void nap_is_over();
  void answer_is_late();
  void grab_is_answered();
  void check_life();
  bool is_reading();
  void write_rest();
  std::size_t unsent() const { return out_.size() + writing_.size() - written_; }
  void tell(std::uint64_t generation, PacketType type, std::string_view handle, std::string_view data);
  void relieve();

  // Constant after construction, but for `functions`.
  asio::io_context& loop_;
  base::DeadlineWheel& deadlines_;
  LinkOwner& owner_;
  Settings settings_;
  const std::chrono::milliseconds dead_after_;  // silence, pings included, that means the server is gone

  // Over all connections.
  Dialer dialer_;
  asio::steady_timer pause_;  // the wait between two attempts
  base::Backoff backoff_;
  std::uint64_t generation_ = 0;
  bool reported_down_ = false;  // one report a change of state
  Grabber::Clock::time_point lost_at_ = Grabber::Clock::now();
  std::string lost_why_;
  bool retiring_ = false;
  bool closing_ = false;

  // Of the present connection.
  base::Stream stream_;
  PacketReader reader_;
  Grabber grabber_;
  bool connected_ = false;
  bool greeted_ = false;  // the server has shown that it is one
  bool timed_out_ = false;
  bool goodbye_sent_ = false;
  int errors_ = 0;                          // that it reported to none of our packets
  std::deque<OnSubmitted> submissions_;     // unanswered, in order; empty functions were forgotten
  std::uint64_t submissions_answered_ = 0;  // over all connections; the first in the queue has this number
  int inflight_ = 0;                        // jobs assigned and not yet answered
  bool congested_ = false;                  // and the owner waits to be told that it is not
  int lent_ = 0;                            // slots of unanswered grabs that others may use meanwhile
  std::string out_;                         // produced and not yet given to the kernel
  std::string writing_;                     // owned by the write in progress; empty when there is none
  std::size_t written_ = 0;                 // bytes of it that the kernel has
  std::uint64_t taken_in_ = 0;  // bytes sent that the server's kernel had acknowledged when last looked at
  Grabber::Clock::time_point connected_at_{};
  Grabber::Clock::time_point heard_at_{};
  Grabber::Clock::time_point grabbed_at_{};
  Grabber::Clock::time_point answered_at_{};  // a grab
  Grabber::Clock::time_point alive_at_{};     // last sign of life, be it that it takes in what we send
  Grabber::Clock::time_point pinged_at_{};    // not before heard_at_: a ping is unanswered

  Timer nap_timer_{*this, &Link::nap_is_over};
  Timer answer_timer_{*this, &Link::answer_is_late};  // may run on when there is nothing to wait for
  Timer life_timer_{*this, &Link::check_life};
};

}  // namespace driveshaft::gearman
