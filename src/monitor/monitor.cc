// SPDX-License-Identifier: MIT
#include "monitor/monitor.h"

#include <set>
#include <utility>

#include "monitor/endpoints.h"
#include "monitor/json.h"
#include "net/exceptions.h"

namespace driveshaft::monitor {
namespace {

using namespace std::chrono_literals;
using net::kResult;
using Clock = std::chrono::steady_clock;

constexpr auto kTick = 1s;

// The servers that pools use, and whether a link to each is up.
std::map<std::string, bool> connected_servers(const Snapshot& snapshot) {
  std::map<std::string, bool> servers;
  for (const auto& pool : snapshot.pools) {
    for (const auto& link : pool.links) {
      bool& connected = servers[net::to_string(link.server)];
      connected = connected || link.connected;
    }
  }
  return servers;
}

}  // namespace

Monitor::Monitor(asio::io_context& io, Watched watched)
    : io_(io),
      watched_(std::move(watched)),
      tick_(io),
      published_(io, Clock::time_point::max()),
      arrived_(io, Clock::time_point::max()) {}

Monitor::~Monitor() {
  for (const auto& [_, watch] : watches_) watch.queue->stop();
}

void Monitor::start() {
  asio::co_spawn(io_, net::restarted("the monitor", [this] { return run(); }), net::kRethrow);
}

asio::awaitable<void> Monitor::run() {
  auto at = Clock::now();
  while (true) {
    ask(Detail::figures);
    co_await arrival(Clock::now() + kSnapshotTimeout);
    ++number_;
    status_.reset();
    published_.cancel();
    at = std::max(at + kTick, Clock::now());
    tick_.expires_at(at);
    co_await tick_.async_wait(kResult);
  }
}

void Monitor::ask(Detail detail) {
  if (detail == Detail::all) asked_ = true;
  // This is called in the loop's thread, perhaps after the monitor and its io_context are destroyed: then
  // nobody runs the handler that is posted.
  watched_.snapshot(detail, [this, detail, &io = io_](SnapshotPtr snapshot) {
    asio::post(io, [this, detail, snapshot = std::move(snapshot)] {
      if (detail == Detail::all) {
        asked_ = false;
        detailed_ = snapshot;
      }
      received(snapshot);
    });
  });
}

void Monitor::received(const SnapshotPtr& snapshot) {
  const bool newer = !latest_ || snapshot->at > latest_->at;
  if (newer) latest_ = snapshot;
  arrived_.cancel();
  if (newer && snapshot != detailed_) note(*snapshot);
}

// Is called once a second.
void Monitor::note(const Snapshot& snapshot) {
  keep_watches(*snapshot.config.in_force);
  std::set<std::string_view> names;
  for (const auto& pool : snapshot.pools) {
    const auto& name = pool.settings.name;
    if (!names.insert(name).second)
      continue;  // a removed pool of this name still finishes its jobs; the one in force came first
    histories_[name].add(snapshot.at, snapshot.wall, pool,
                         waiting(pool.settings.jobs_list, *snapshot.config.in_force, queues_).everywhere());
    auto& gauges = gauges_[name];
    if (!gauges) gauges = watched_.metrics.gauges(name);
    metrics::PoolGauges::Values values{.slots = pool.slots(),
                                       .connections = pool.endpoint.connections,
                                       .idle_connections = pool.endpoint.idle_connections};
    for (const auto& [_, endpoint, functions] : pool.function_endpoints) {
      values.connections += endpoint.connections;
      values.idle_connections += endpoint.idle_connections;
    }
    gauges->set(values);
    gauges->set_backends(backends_[name].add(snapshot.at, pool));
  }
  const auto connected = connected_servers(snapshot);
  for (const auto& [server, watch] : watches_) {
    const auto wanted = connected.find(server);
    watch.metrics->set_connected(wanted == connected.end() ? std::nullopt : std::optional(wanted->second));
  }
  const auto gone = [&](const auto& entry) { return !names.contains(entry.first); };
  std::erase_if(histories_, gone);
  std::erase_if(backends_, gone);
  std::erase_if(gauges_, gone);
}

void Monitor::keep_watches(const config::Config& config) {
  QueueWatch::Names functions;
  QueueWatch::Names dead_letters;
  for (const auto& pool : config.pools) {
    functions.insert(pool.jobs_list.begin(), pool.jobs_list.end());
    dead_letters.insert(pool.settings.dead_letter_function);
  }
  std::erase_if(dead_letters, [&](const auto& name) { return name.empty() || functions.contains(name); });
  std::set<std::string> servers;
  for (const auto& [address, tls] : config.servers) {
    const std::string server = net::to_string(address);
    servers.insert(server);
    Watch& watch = watches_[server];
    auto client = watched_.tls.client(tls);
    if (watch.queue && watch.tls == client) {
      watch.queue->watch(functions, dead_letters);
      continue;
    }
    if (watch.queue) watch.queue->stop();
    watch.tls = std::move(client);
    if (!watch.metrics) watch.metrics = watched_.metrics.server(server);
    watch.queue =
        std::make_shared<QueueWatch>(resolver_, deadlines_, address, watch.tls, watched_.about.client_id,
                                     [this, server] { queue_changed(server); });
    watch.queue->watch(functions, dead_letters);
    watch.queue->start();
  }
  std::erase_if(watches_, [&](const auto& entry) {
    if (servers.contains(entry.first)) return false;
    entry.second.queue->stop();
    queues_.erase(entry.first);
    return true;
  });
}

void Monitor::queue_changed(const std::string& server) {
  const Watch& watch = watches_.at(server);
  const QueueReport& report = watch.queue->report();
  queues_[server] = report;
  watch.metrics->set_queue_known(report.known);
  std::vector<metrics::ServerMetrics::Function> functions;
  for (const auto& [name, queue] : report.functions) {
    const auto waited = queue.waiting_since ? report.at - *queue.waiting_since : Clock::duration::zero();
    functions.push_back({name, queue.queued, queue.running, queue.workers, waited});
  }
  watch.metrics->set_functions(functions);
}

View Monitor::view(const Snapshot& snapshot) const {
  const auto age = Clock::now() - latest_->at;
  return {watched_.about, snapshot,  age > kTick ? age - kTick : Clock::duration::zero(),
          histories_,     backends_, queues_};
}

std::shared_ptr<const std::string> Monitor::status() {
  if (!latest_) return nullptr;
  if (!status_) {
    const View now = view(*latest_);
    status_ = std::make_shared<const std::string>(status_json(now, judge(now)));
  }
  return status_;
}

std::string Monitor::outages() const { return latest_ ? outages_text(*latest_, Clock::now()) : ""; }

asio::awaitable<void> Monitor::next(std::uint64_t seen) {
  while (number_ == seen) co_await published_.async_wait(kResult);
}

// Returns when a snapshot has arrived, or at `until`.
asio::awaitable<void> Monitor::arrival(Clock::time_point until) {
  asio::steady_timer timeout(io_, until);
  timeout.async_wait([this](const boost::system::error_code& error) {
    if (!error) arrived_.cancel();
  });
  co_await arrived_.async_wait(kResult);
}

// Returns a snapshot that is fresh enough. Clients that wait at the same time share one.
asio::awaitable<SnapshotPtr> Monitor::take(Detail detail) {
  const SnapshotPtr& held = detail == Detail::all ? detailed_ : latest_;
  const auto good = [&] { return held && (detail == Detail::figures || Clock::now() - held->at <= kFresh); };
  const auto until = Clock::now() + kSnapshotTimeout;
  while (!good() && Clock::now() < until) {
    if (detail == Detail::all && !asked_) ask(detail);
    co_await arrival(until);
  }
  co_return held ? held : latest_;
}

}  // namespace driveshaft::monitor
