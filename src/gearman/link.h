// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadlines.h"
#include "gearman/dialect.h"
#include "gearman/dialer.h"
#include "gearman/redial.h"
#include "gearman/server_state.h"
#include "gearman/session.h"
#include "net/address.h"
#include "net/asio.h"
#include "net/stream.h"
#include "net/tls.h"

namespace driveshaft::gearman {

class Link;

// What a link reports to its owner, the pool. Called on the loop's thread, from within the link.
class LinkOwner {
 public:
  // A job answers a grab. The views in `job` are valid during the call; if `storage` is set, they are into
  // it, and the owner may keep it. False: the function of the job was never registered.
  [[nodiscard]] virtual bool job_assigned(Link& link, const Assignment& job,
                                          std::unique_ptr<char[]> storage) = 0;
  // NO_JOB answers a grab.
  virtual void no_job(Link& link) = 0;
  // The server has not answered the link's grabs for a while. They may still bring jobs.
  virtual void grabs_are_late(Link& link) = 0;
  // The connection is lost. Its unanswered grabs will have no answer.
  virtual void connection_lost(Link& link) = 0;
  // The link has bytes to send, or may want grabs: call flush() at the end of this turn of the loop.
  virtual void turn_needed(Link& link) = 0;
  // The link is no longer congested(): the bytes are sent, or lost with the connection.
  virtual void on_writable(Link& link) = 0;
  // The link handles the bytes that it has read between these two calls. turn_needed() may wait for
  // input_ends().
  virtual void input_begins() = 0;
  virtual void input_ends() = 0;
  // The link has (true) or has lost (false) a connection to a server that speaks the protocol.
  virtual void link_changed(bool connected) = 0;
  // The server did not know the job of a result.
  virtual void result_refused() = 0;
  // After retire() or stop(): the link makes no more calls, and the owner may drop it.
  virtual void link_closed(Link& link) = 0;

 protected:
  ~LinkOwner() = default;
};

// The outcome of a submission.
enum class Submitted {
  accepted,
  refused,  // the server says why
  lost,     // the connection was lost; the server may have accepted the job
};

// Keeps up one connection to one gearmand: it connects, backs off, reads, writes and waits. A Session, a new
// one for each connection, decides what is sent. Lives on the loop's thread. The owner and the jobs that came
// over the link keep it alive; the owner outlives the link until link_closed().
class Link : public std::enable_shared_from_this<Link> {
 public:
  using Clock = Session::Clock;

  struct Settings {
    net::Address server;
    ServerState& state;     // of that server; outlives the link
    std::string client_id;  // at most 127 bytes, no spaces
    std::vector<std::string> functions;
    std::chrono::milliseconds loop_timeout;         // a server that is silent for so long is sent a ping
    std::shared_ptr<net::TlsClient> tls = nullptr;  // null for plain text
  };

  Link(net::Resolver& resolver, base::DeadlineWheel& deadlines, LinkOwner& owner, Settings settings);
  Link(const Link&) = delete;
  ~Link();

  void start();

  const net::Address& server() const { return settings_.server; }
  const net::TlsClient* tls() const { return settings_.tls.get(); }
  bool connected() const { return session_.has_value(); }

  struct State {
    bool connected;  // to a server that has shown that it is a gearmand
    Clock::time_point since;
    std::string_view why;  // if not connected: why the last connection or attempt has ended
  };
  State state() const { return {up_, up_ ? connected_at_ : lost_at_, lost_why_}; }
  bool retiring() const { return retiring_; }
  // Whether the server gives a job to another worker when the connection is lost.
  bool requeues() const { return settings_.state.dialect() == Dialect::gearmand; }

  // The number of the connection. A job belongs to the connection that it came over; once that connection is
  // closed, whatever is sent for the job is dropped.
  std::uint64_t generation() const { return generation_; }
  bool holds(std::uint64_t generation) const { return session_ && generation == generation_; }

  // Progress of a running job.
  void send_data(std::uint64_t generation, std::string_view handle, std::string_view bytes);
  void send_warning(std::uint64_t generation, std::string_view handle, std::string_view text);
  void send_status(std::uint64_t generation, std::string_view handle, std::uint32_t numerator,
                   std::uint32_t denominator);
  // The terminal packet of a job. False: the connection of the job is closed. May throw std::bad_alloc; then
  // nothing is sent.
  [[nodiscard]] bool send_result(std::uint64_t generation, std::string_view handle, JobResult result,
                                 std::string_view data);
  // A job ends without a result: gearmand gives it to another worker when this connection closes.
  void leave_unanswered(std::uint64_t generation);
  // More bytes wait to be sent than the high watermark. The owner is told when they are below the low
  // watermark (on_writable()).
  bool congested();

  // How many grabs to send now, if there are slots.
  int grabs_wanted() const { return session_ ? session_->grabs_wanted() : 0; }
  // Sends `count` grabs, at most grabs_wanted(); the owner has reserved a slot for each.
  void grab(int count);
  // While retiring: whether to send a wake grab, for which the owner has a slot (see
  // Grabber::wants_wake_grab()).
  bool wants_wake_grab() const { return session_ && session_->wants_wake_grab(); }
  void wake_grab();

  using OnSubmitted = std::function<void(Submitted what, std::string_view why)>;
  // Submits a background job on the present connection. `done` is called once, not from within
  // submit_background(), unless forget_submission() is called with the number that this returns.
  std::uint64_t submit_background(std::string_view function, std::string_view unique,
                                  std::string_view workload, OnSubmitted done);
  void forget_submission(std::uint64_t number);

  // Registers more functions, now and on each later connection.
  void add_functions(const std::vector<std::string>& functions);

  // Writes the bytes of this turn in one system call.
  void flush();

  // Whether the kernel has not taken all bytes yet.
  bool has_unsent() const { return unsent() > 0; }

  // Takes no more jobs, waits for the running ones, waits until the server has read every result, and closes.
  void retire();
  // Closes at once. The server gives unfinished jobs to other workers.
  void stop();

 private:
  friend struct LinkAccess;  // of tests
  using Timer = base::MemberDeadline<Link>;

  asio::awaitable<void> run();
  asio::awaitable<LinkError> serve();
  LinkError describe_end(const boost::system::error_code& error) const;
  void session_begins();
  void session_ends();
  void report_lost(const LinkError& why);
  void comes_up();
  base::Result<void, LinkError> handle_input(bool more);
  base::Result<int, LinkError> handle_packets();
  base::Result<void, LinkError> carry_out(Session::Event& event);
  base::Result<void, LinkError> hand_over(Session::Event& assigned);
  void submission_answered(Submitted what, std::string_view why);
  void arm_timer();
  void time_is_up();
  Session::Sent how_much_is_sent();
  void write_rest();
  std::size_t unsent() const { return (session_ ? session_->unsent() : 0) + writing_.size() - written_; }
  void check_congestion();

  // Constant after construction, except `functions`.
  asio::io_context& loop_;
  base::DeadlineWheel& deadlines_;
  LinkOwner& owner_;
  Settings settings_;
  const std::chrono::milliseconds
      dead_after_;  // a server that is silent for so long, even to a ping, is given up

  // Over all connections.
  Dialer dialer_;
  asio::steady_timer pause_;  // for the wait between two attempts to connect
  Redial redial_;
  std::uint64_t generation_ = 0;
  bool reported_down_ = false;  // each change of state is reported once
  Clock::time_point lost_at_ = Clock::now();
  std::string lost_why_;
  bool retiring_ = false;
  bool closing_ = false;
  std::deque<OnSubmitted> submissions_;     // unanswered, in order; an empty function was forgotten
  std::uint64_t submissions_answered_ = 0;  // the number of the first in the queue

  // Of the present connection.
  net::Stream stream_;
  std::optional<Session> session_;
  bool up_ = false;  // link_changed(true) was called
  Clock::time_point connected_at_{};
  std::optional<LinkError> dead_;  // why the link has closed it
  bool congested_ = false;         // the owner waits for on_writable()
  std::string writing_;            // the bytes of the write in progress; empty if there is none
  std::size_t written_ = 0;        // bytes of writing_ that the kernel has
  Clock::time_point timer_at_{};
  Timer timer_{*this, &Link::time_is_up};
};

}  // namespace driveshaft::gearman
