// SPDX-License-Identifier: MIT
#include "dispatch/lane.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/seconds.h"
#include "config/connection_count.h"
#include "config/diff.h"
#include "log/log.h"
#include "text/printable.h"

namespace driveshaft::dispatch {

std::vector<LanePlan> plan_lanes(const config::PoolConfig& pool) {
  LanePlan shared;
  std::vector<LanePlan> own;
  for (const auto& name : pool.jobs_list) {
    if (config::has_own_connections(pool, name)) {
      own.push_back({name, {name}});
    } else {
      shared.functions.push_back(name);
    }
  }
  std::vector<LanePlan> lanes;
  if (!shared.functions.empty()) lanes.push_back(std::move(shared));
  std::move(own.begin(), own.end(), std::back_inserter(lanes));
  return lanes;
}

Lane::Lane(Context& context, gearman::LinkOwner& owner, LimitOwner& limit_owner, Admission& admission,
           metrics::PoolMetrics& metrics, std::string pool, std::string key)
    : context_(context),
      owner_(owner),
      admission_(admission),
      limit_owner_(limit_owner),
      metrics_(metrics),
      pool_(std::move(pool)),
      key_(std::move(key)) {
  admission_.add(permits_);
}

Lane::~Lane() {
  if (counted_open_) metrics_.breakers_open_changed(-1);
  admission_.remove(permits_);
}

void Lane::set_breaker(const config::BreakerSettings& settings) {
  breaker_.configure(settings);
  breaker_changed();
}

void Lane::attempt_ended(AttemptScore score, Clock::duration took, int ceiling) {
  if (!breaker_.is_on()) return;
  const bool was_open = breaker_.is_open();
  const auto now = Clock::now();
  const bool changed = breaker_.attempt_ended(score, now - took, ceiling, now);
  breaker_changed();
  if (!changed) return;
  if (!was_open) {
    log::kMainLog.warn(
        "pool {}{}: {} of the last {} attempts failed: its breaker opens, so one job at a time is sent, "
        "after "
        "pauses that grow, until one succeeds",
        text::printable(pool_, 128), named(), breaker_.failed(), breaker_.attempts());
  } else {
    log::kMainLog.info("pool {}{}: a job succeeded after {:.1f} s: its breaker lets more jobs through",
                       text::printable(pool_, 128), named(), base::seconds(now - breaker_.since()));
  }
}

void Lane::breaker_wait_is_over() {
  breaker_.try_one(permits_.posted());
  breaker_changed();
}

// Tells the breaker's state to all that depends on it.
void Lane::breaker_changed() {
  if (admission_.set_lane_window(permits_, breaker_.window())) limit_owner_.limit_changed();
  if (std::exchange(counted_open_, breaker_.is_open()) != counted_open_) {
    metrics_.breakers_open_changed(counted_open_ ? +1 : -1);
  }
  if (const auto at = breaker_.wake_at()) {
    context_.deadlines.set(breaker_wait_, *at);
  } else {
    breaker_wait_.clear();
  }
}

std::string Lane::named() const {
  return key_.empty() ? std::string() : ", function " + text::printable(key_, 128);
}

std::optional<BreakerStatus> Lane::breaker_status() const {
  if (!breaker_.is_open()) return std::nullopt;
  return BreakerStatus{functions_, breaker_.since(), breaker_.failed(), breaker_.attempts()};
}

void Lane::set_functions(std::vector<std::string> functions) {
  if (functions == functions_) return;
  const auto before = std::exchange(functions_, std::move(functions));
  if (config::without(before, functions_).empty()) {
    const auto added = config::without(functions_, before);
    for (const auto& link : links_) {
      if (!link->retiring()) link->add_functions(added);
    }
    return;
  }
  // A function cannot be withdrawn from a connection that has jobs of it: gearmand would run these jobs a
  // second time. So new connections take over, and the old ones finish their jobs.
  for (const auto& link : Links(links_)) link->retire();
}

void Lane::keep_links(const std::vector<config::ServerConfig>& servers, int connections) {
  struct Wanted {
    const config::ServerConfig& server;
    std::shared_ptr<net::TlsClient> tls;
    int missing;
  };
  std::vector<Wanted> wanted;
  if (!functions_.empty() && connections > 0) {
    for (const auto& server : servers) {
      wanted.push_back({server, context_.tls.client(server.tls), connections});
    }
  }
  for (const auto& link : Links(links_)) {
    if (link->retiring()) continue;
    const auto match = std::find_if(wanted.begin(), wanted.end(), [&](const Wanted& one) {
      return one.missing > 0 && one.server.address == link->server() && one.tls.get() == link->tls();
    });
    if (match == wanted.end()) {
      link->retire();
    } else {
      --match->missing;
    }
  }
  for (const auto& [server, tls, missing] : wanted) {
    for (int count = missing; count > 0; --count) {
      const auto link = std::make_shared<PoolLink>(
          context_.resolver, context_.deadlines, owner_,
          gearman::Link::Settings{server.address, context_.servers[server.address], context_.client_id,
                                  functions_, context_.loop_timeout, tls});
      admission_.add(*link, permits_);
      links_.push_back(link);
      link->start();
    }
  }
}

void Lane::stop_links() {
  for (const auto& link : Links(links_)) {
    if (link->connected()) {
      log::kMainLog.warn(
          "gearmand {}: it did not answer the last ping; it may not have read the last results",
          net::to_string(link->server()));
    }
    link->stop();
  }
}

void Lane::link_closed(gearman::Link& link) {
  const auto closed =
      std::find_if(links_.begin(), links_.end(), [&](const auto& mine) { return mine.get() == &link; });
  if (closed == links_.end()) return;
  admission_.remove(**closed);
  links_.erase(closed);
}

bool Lane::has_retiring_links() const {
  return std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->retiring(); });
}

bool Lane::has_unsent() const {
  return std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->has_unsent(); });
}

}  // namespace driveshaft::dispatch
