// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadlines.h"
#include "base/error.h"
#include "config/config.h"
#include "gearman/admin_text.h"
#include "gearman/dialer.h"
#include "gearman/packet.h"
#include "net/asio.h"
#include "net/resolver.h"
#include "net/stream.h"

namespace driveshaft::letters {

// A connection to one gearmand, which grabs jobs of a function, completes them, and submits other jobs. Only
// one question is asked at a time: the caller waits for one coroutine before it calls the next. An error
// contains only the reason, without the server's address. After an error the conversation is over; when its
// connection closes, gearmand requeues every job that was handed out and not completed. Used in the loop's
// thread.
class Conversation {
 public:
  // `resolver` and `deadlines` outlive this object. `timeout`: how long the server may be silent while an
  // answer is waited for.
  Conversation(net::Resolver& resolver, base::DeadlineWheel& deadlines, const config::ServerConfig& server,
               std::chrono::milliseconds timeout);
  Conversation(const Conversation&) = delete;

  // Connects, and fails if the server does not requeue jobs when a connection ends.
  asio::awaitable<base::Result<void>> begin();

  // Ends the conversation: a question that waits for its answer fails at once, and so does each later one.
  void close();

  // Checks whether a job server listens there: connects, and has the server send a few bytes back. Nothing
  // else is asked after that. The time of connecting counts as part of `timeout`.
  asio::awaitable<base::Result<void>> greet();

  struct Counts {
    std::uint64_t waiting = 0;
    std::uint64_t handed_out = 0;  // to any connection
  };
  // Counts the jobs of the function.
  asio::awaitable<base::Result<Counts>> count(std::string_view function);

  // How often the server hands a job out before it drops the job (its option --job-retries); 0: without a
  // limit. No packet asks for this, so it is tried out with a job of a function that only this call uses.
  asio::awaitable<base::Result<unsigned>> attempts();

  // From now on grab() gets jobs of this function.
  void take_from(std::string_view function);
  struct Job {
    std::string handle;
    std::string workload;
  };
  // Grabs the next job; nothing if no job waits.
  asio::awaitable<base::Result<std::optional<Job>>> grab();
  // Completes a job that was handed out: gearmand removes it. The packet is sent with the next question.
  void complete(std::string_view handle);
  // Stops grabbing jobs of the function, and has gearmand requeue those that are not completed. When this
  // returns, gearmand has read all packets that were sent before.
  asio::awaitable<base::Result<void>> give_back(std::string_view function);

  // Whether a job with this unique waits or runs, in any function.
  asio::awaitable<base::Result<bool>> has(std::string_view unique);
  struct Submission {
    std::string handle;   // handle of the new job
    std::string refused;  // why gearmand refuses the job; empty: it has accepted the job
  };
  asio::awaitable<base::Result<Submission>> submit_background(std::string_view function,
                                                              std::string_view unique,
                                                              std::string_view workload);

 private:
  struct Answer {
    gearman::PacketType type;
    std::string body;
  };
  using error_code = boost::system::error_code;

  asio::awaitable<base::Result<net::Stream>> dial();
  // Sends a command of the text protocol, over a separate connection. `is_last` is called with each line of
  // the answer, and returns whether that line is the last one.
  asio::awaitable<base::Result<void>> ask_as_text(std::string command,
                                                  std::function<bool(std::string_view line)> is_last);
  asio::awaitable<base::Result<void>> send(net::Stream& stream, std::string& bytes);
  // Sends `out_`, and waits for one packet. Fails unless the packet has one of these types or is an ERROR.
  asio::awaitable<base::Result<Answer>> ask(gearman::PacketType expected,
                                            gearman::PacketType or_this = gearman::PacketType::error);
  base::Error lost(const error_code& error) const;
  void wait_for(net::Stream& stream);
  void too_late();

  base::DeadlineWheel& deadlines_;
  std::chrono::milliseconds timeout_;
  gearman::Dialer dialer_;
  net::Stream stream_;
  gearman::PacketReader reader_;
  std::string out_;  // not yet sent
  net::Stream* waited_for_ = nullptr;
  bool too_late_ = false;
  bool closed_ = false;
  base::MemberDeadline<Conversation> deadline_{*this, &Conversation::too_late};
};

}  // namespace driveshaft::letters
