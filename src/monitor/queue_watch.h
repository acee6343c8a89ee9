// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/deadlines.h"
#include "dispatch/status.h"
#include "gearman/dialer.h"
#include "net/address.h"
#include "net/asio.h"
#include "net/resolver.h"

namespace driveshaft::monitor {

struct QueueCounts {
  std::uint64_t queued = 0;  // waiting
  std::uint64_t running = 0;
  std::uint64_t workers = 0;  // connections, ours and others', that take such jobs
  std::optional<dispatch::SteadyTime> waiting_since = {};  // see queue_waits.h
};

// What a gearmand reports of its queue.
struct QueueReport {
  bool known = false;  // whether the last attempt to read it succeeded
  std::string why;     // why it failed; empty before the first attempt
  dispatch::SteadyTime at;
  using Functions = std::map<std::string, QueueCounts, std::less<>>;
  Functions functions;  // every function of the jobs file, if known
  // The dead letter functions of the jobs file, but for those that a pool serves.
  Functions dead_letter_functions = {};
  // Other functions whose jobs wait while no connection takes such jobs; at most kMostUnserved.
  Functions unserved = {};
  QueueCounts all;                  // all functions of the server, in the jobs file or not, without:
  std::uint64_t dead_letters = 0;   // jobs of dead letter functions that wait; nobody is to run them
  std::uint64_t other_workers = 0;  // connections that take jobs and are not ours

  // The counts of a function of the jobs file or of a dead letter function; null if no reading had it yet.
  const QueueCounts* find(std::string_view function) const;
};

// Reads the queue of one gearmand every few seconds, over a connection of its own that speaks the text
// protocol: `status` and `workers` cost the server about a millisecond. Bounded in time, and in memory by the
// functions it was told and by kMostUnserved, whatever the server answers. On the thread of the resolver's
// loop.
class QueueWatch : public std::enable_shared_from_this<QueueWatch> {
 public:
  static constexpr std::chrono::seconds kEvery{3};
  static constexpr std::chrono::seconds kAnswerTimeout{5};  // for connecting, and for each answer
  static constexpr std::size_t kMostBytes = 64 * 1024 * 1024;
  static constexpr std::size_t kMostUnserved = 16;

  // `tls`: null for plain text. `changed` is called after each attempt.
  QueueWatch(net::Resolver& resolver, base::DeadlineWheel& deadlines, const net::Address& server,
             std::shared_ptr<net::TlsClient> tls, std::string client_id, std::function<void()> changed);
  QueueWatch(const QueueWatch&) = delete;
  QueueWatch& operator=(const QueueWatch&) = delete;
  ~QueueWatch();

  void start();
  void stop();  // `changed` is not called any more

  using Names = std::set<std::string, std::less<>>;
  // The next reading is the first with these functions. `dead_letters`: dead letter functions, but for those
  // that a pool serves.
  void watch(Names functions, Names dead_letters) {
    functions_ = std::move(functions);
    dead_letters_ = std::move(dead_letters);
  }

  const QueueReport& report() const { return report_; }

 private:
  asio::awaitable<void> run();
  asio::awaitable<std::string> read();  // empty, or the reason of the failure
  std::string lost(const boost::system::error_code& error) const;
  void take(QueueReport report);
  void too_late();
  void close();

  base::DeadlineWheel& deadlines_;
  const std::string client_id_;
  std::function<void()> changed_;
  Names functions_;
  Names dead_letters_;
  QueueReport report_;
  asio::steady_timer pause_;
  gearman::Dialer dialer_;
  net::Stream stream_;  // stays open between two readings
  bool too_late_ = false;
  bool stopped_ = false;
  base::MemberDeadline<QueueWatch> timeout_{*this, &QueueWatch::too_late};
};

}  // namespace driveshaft::monitor
