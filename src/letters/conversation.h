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

// What is said to one gearmand: it hands out the jobs of a function, takes other jobs, and is told which of
// them are done. One question at a time. Errors are the reason only, and end the conversation: gearmand then
// has back every job that it has handed out and that is not completed. On the loop's thread.
class Conversation {
 public:
  // `patience`: how long the server may be silent while an answer is waited for.
  Conversation(net::Resolver& resolver, base::DeadlineWheel& deadlines, const config::ServerConfig& server,
               std::chrono::milliseconds patience);
  Conversation(const Conversation&) = delete;

  // Connects, and makes sure that it is a server that takes jobs back when a connection ends.
  asio::awaitable<base::Result<void>> begin();

  // Ends it: the question that waits for its answer fails at once, and so does each that comes later.
  void close();

  // Connects, and has it send a few bytes back: whether there is a job server at all. It is asked nothing
  // else then. Connecting counts into the patience.
  asio::awaitable<base::Result<void>> greet();

  struct Counts {
    std::uint64_t waiting = 0;
    std::uint64_t handed_out = 0;  // to other connections as well
  };
  // How many jobs of the function there are.
  asio::awaitable<base::Result<Counts>> count(std::string_view function);

  // How often it hands a job out before it throws it away (--job-retries); 0: as often as need be. It is
  // tried with a job of a function of our own: nothing else tells.
  asio::awaitable<base::Result<unsigned>> attempts();

  // From now on jobs of that function are handed out.
  void take_from(std::string_view function);
  struct Job {
    std::string handle;
    std::string workload;
  };
  // The next job; nothing if none waits.
  asio::awaitable<base::Result<std::optional<Job>>> grab();
  // A job that was handed out is done: gearmand forgets it. The packet goes with the next question.
  void complete(std::string_view handle);
  // No more jobs are handed out, and gearmand has back those of the function that are not completed. All that
  // was said before has been read by then.
  asio::awaitable<base::Result<void>> give_back(std::string_view function);

  // Whether a job of that unique, of whatever function, waits or runs.
  asio::awaitable<base::Result<bool>> has(std::string_view unique);
  struct Submission {
    std::string handle;   // of the new job
    std::string refused;  // why gearmand does not take it; empty: it does
  };
  asio::awaitable<base::Result<Submission>> submit_background(std::string_view function,
                                                              std::string_view unique,
                                                              std::string_view workload);

 private:
  // A packet and its body.
  struct Answer {
    gearman::PacketType type;
    std::string body;
  };
  using error_code = boost::system::error_code;

  asio::awaitable<base::Result<net::Stream>> dial();
  // Sends a command of the text protocol, over a connection of its own. `is_last` is called with each line of
  // the answer.
  asio::awaitable<base::Result<void>> ask_as_text(std::string command,
                                                  std::function<bool(std::string_view line)> is_last);
  asio::awaitable<base::Result<void>> send(net::Stream& stream, std::string& bytes);
  // Sends what is in `out_`, and waits for one packet, which is of one of those types, or an ERROR.
  asio::awaitable<base::Result<Answer>> ask(gearman::PacketType expected,
                                            gearman::PacketType or_this = gearman::PacketType::error);
  base::Error lost(const error_code& error) const;
  void wait_for(net::Stream& stream);
  void too_late();

  base::DeadlineWheel& deadlines_;
  std::chrono::milliseconds patience_;
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
