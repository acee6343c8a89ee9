// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/deadlines.h"
#include "metrics/metrics.h"
#include "monitor/view.h"
#include "net/asio.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace driveshaft::monitor {

// What a monitor watches.
struct Watched {
  About about;
  SnapshotSource snapshot;
  metrics::Registry& metrics;
  net::TlsClients& tls;
};

// Collects the state of the daemon: it takes a snapshot every second, keeps the history, reads the queues of
// the gearmand servers, and writes all of this as JSON. It runs on the admin thread; the loop's thread only
// makes snapshots for it.
class Monitor {
 public:
  // The loop is asked for lists of jobs and failures at most this often, by all clients together.
  static constexpr std::chrono::milliseconds kFresh{250};
  // An answer waits at most this long for the loop. After that the last snapshot is used.
  static constexpr std::chrono::milliseconds kSnapshotTimeout{1000};

  Monitor(asio::io_context& io, Watched watched);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  void start();

  // The answer of /api/v1/status for the last second. Each second has the next number. Null: there is none
  // yet.
  std::uint64_t number() const { return number_; }
  std::shared_ptr<const std::string> status();
  // outages_text() of the last snapshot, which is older than a second if the loop stands still.
  std::string outages() const;
  // Returns when there is a number other than `seen`.
  asio::awaitable<void> next(std::uint64_t seen);

  // Calls `show` with the view of the last second, or with a view that has lists and is no older than kFresh.
  // False: there is no view, as the loop has not answered yet.
  template <class Show>
  asio::awaitable<bool> with_view(Detail detail, Show show) {
    const SnapshotPtr snapshot = co_await take(detail);
    if (!snapshot) co_return false;
    show(view(*snapshot));
    co_return true;
  }

 private:
  asio::awaitable<void> run();
  asio::awaitable<SnapshotPtr> take(Detail detail);
  asio::awaitable<void> arrival(std::chrono::steady_clock::time_point until);
  void ask(Detail detail);
  void received(const SnapshotPtr& snapshot);
  void note(const Snapshot& snapshot);
  void keep_watches(const config::Config& config);
  void queue_changed(const std::string& server);
  View view(const Snapshot& snapshot) const;

  asio::io_context& io_;
  const Watched watched_;
  net::Resolver resolver_{io_};
  base::DeadlineWheel deadlines_{io_};

  SnapshotPtr latest_;                        // of any detail
  SnapshotPtr detailed_;                      // of Detail::all
  bool asked_ = false;                        // for a detailed one, and not answered
  std::map<std::string, History> histories_;  // by pool, as the next
  std::map<std::string, BackendHistories> backends_;
  std::map<std::string, std::shared_ptr<metrics::PoolGauges>> gauges_;
  std::map<std::string, QueueReport> queues_;

  struct Watch {
    std::shared_ptr<QueueWatch> queue;
    std::shared_ptr<net::TlsClient> tls;
    std::shared_ptr<metrics::ServerMetrics> metrics;
  };
  std::map<std::string, Watch> watches_;  // by server

  std::uint64_t number_ = 0;
  std::shared_ptr<const std::string> status_;  // the status of number_; null until somebody asks for it
  asio::steady_timer tick_;
  asio::steady_timer published_;  // never expires: cancelled when number_ has changed
  asio::steady_timer arrived_;    // never expires: cancelled when a snapshot has come
};

}  // namespace driveshaft::monitor
