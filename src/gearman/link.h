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

// What a link reports to the pool that it works for. Called on the loop's thread, from within the link.
class LinkOwner {
 public:
  // A job answers a grab. The views in `job` last as long as the call; when `storage` is set they lie in it,
  // and it may be kept. False: it is of a function that was never registered.
  [[nodiscard]] virtual bool job_assigned(Link& link, const Assignment& job,
                                          std::unique_ptr<char[]> storage) = 0;
  // A grab was answered: there is no job.
  virtual void no_job(Link& link) = 0;
  // The server has not answered the link's grabs for a while. They may still bring jobs.
  virtual void grabs_are_late(Link& link) = 0;
  // The connection is gone, and so are the grabs without an answer.
  virtual void connection_lost(Link& link) = 0;
  // The link has something to send, or may want grabs: call flush() at the end of this turn of the loop.
  virtual void turn_needed(Link& link) = 0;
  // A congested link is no longer congested: what waited is sent, or lost with its connection.
  virtual void writable_again(Link& link) = 0;
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

// Keeps one connection to one gearmand for ever: it dials, backs off, reads, writes and waits; what is said
// is a Session's, a new one for each connection. Lives on the loop's thread, held by its owner and by the
// jobs that came through it; the owner outlives it up to link_closed().
class Link : public std::enable_shared_from_this<Link> {
 public:
  using Clock = Session::Clock;

  struct Settings {
    net::Address server;
    ServerState& state;     // of that server; outlives the link
    std::string client_id;  // at most 127 bytes, no spaces
    std::vector<std::string> functions;
    std::chrono::milliseconds loop_timeout;  // silence after which the server is asked whether it lives
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
    bool connected;  // to something that has shown that it is a gearmand
    Clock::time_point since;
    std::string_view why;  // not connected: what the last connection or attempt ended with
  };
  State state() const { return {up_, up_ ? connected_at_ : lost_at_, lost_why_}; }
  bool retiring() const { return retiring_; }
  // Whether the server gives a job to another worker when its connection is lost.
  bool requeues() const { return settings_.state.dialect() == Dialect::gearmand; }

  // The connection's number; a job belongs to the one that it came through. What is sent for a job on another
  // connection than its own is dropped.
  std::uint64_t generation() const { return generation_; }
  bool holds(std::uint64_t generation) const { return session_ && generation == generation_; }

  // A running job's word before its end.
  void send_data(std::uint64_t generation, std::string_view handle, std::string_view bytes);
  void send_warning(std::uint64_t generation, std::string_view handle, std::string_view text);
  void send_status(std::uint64_t generation, std::string_view handle, std::uint32_t numerator,
                   std::uint32_t denominator);
  // The one terminal packet of a job. False: its connection is gone. Throws std::bad_alloc, and has then sent
  // nothing.
  [[nodiscard]] bool send_result(std::uint64_t generation, std::string_view handle, JobResult result,
                                 std::string_view data);
  // A job is left unanswered: gearmand gives it to another worker when this connection closes.
  void leave_unanswered(std::uint64_t generation);
  // More waits to be sent than is good. Once it is gone, the owner is told (writable_again()).
  bool congested();

  // How many grabs it would send now if it had the slots.
  int grabs_wanted() const { return session_ ? session_->grabs_wanted() : 0; }
  // Sends `count` grabs, at most grabs_wanted(); the owner has reserved a slot for each.
  void grab(int count);
  // While retiring: whether one grab, for which the owner has a slot, would help (see
  // Grabber::wants_unsleep()).
  bool wants_unsleep() const { return session_ && session_->wants_unsleep(); }
  void unsleep();

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
  bool has_unsent() const { return unsent() > 0; }

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

  // Constant after construction, but for `functions`.
  asio::io_context& loop_;
  base::DeadlineWheel& deadlines_;
  LinkOwner& owner_;
  Settings settings_;
  const std::chrono::milliseconds dead_after_;  // silence, pings included, that means the server is gone

  // Over all connections.
  Dialer dialer_;
  asio::steady_timer pause_;  // the wait between two attempts
  Redial redial_;
  std::uint64_t generation_ = 0;
  bool reported_down_ = false;  // one report a change of state
  Clock::time_point lost_at_ = Clock::now();
  std::string lost_why_;
  bool retiring_ = false;
  bool closing_ = false;
  std::deque<OnSubmitted> submissions_;     // unanswered, in order; empty functions were forgotten
  std::uint64_t submissions_answered_ = 0;  // the first in the queue has this number

  // Of the present connection.
  net::Stream stream_;
  std::optional<Session> session_;
  bool up_ = false;  // the owner and the server's state know of it
  Clock::time_point connected_at_{};
  std::optional<LinkError> dead_;  // why it was closed by us
  bool congested_ = false;         // and the owner waits to be told that it is not
  std::string writing_;            // owned by the write in progress; empty when there is none
  std::size_t written_ = 0;        // bytes of it that the kernel has
  Clock::time_point timer_at_{};
  Timer timer_{*this, &Link::time_is_up};
};

}  // namespace driveshaft::gearman
