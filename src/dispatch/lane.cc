// SPDX-License-Identifier: MIT
#include "dispatch/lane.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "config/connection_count.h"
#include "config/diff.h"

namespace driveshaft::dispatch {
namespace {

using base::kMainLog;

}  // namespace

std::vector<LanePlan> plan_lanes(const config::Pool& pool) {
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

Lane::Lane(Context& context, gearman::LinkOwner& pool, std::string key)
    : context_(context), pool_(pool), key_(std::move(key)) {}

Lane::~Lane() = default;

void Lane::configure(std::vector<std::string> functions, Upstream* upstream, int most) {
  most_ = most;
  if (upstream_ != upstream) {
    if (upstream_) upstream_->reserved(-reserved_);
    upstream_ = upstream;
    if (upstream_) upstream_->reserved(reserved_);
  }
  if (functions == functions_) return;
  const auto before = std::exchange(functions_, std::move(functions));
  if (config::without(before, functions_).empty()) {
    const auto added = config::without(functions_, before);
    for (const auto& link : links_) {
      if (!link->retiring()) link->add_functions(added);
    }
    return;
  }
  // To withdraw a function from a live connection would run its jobs a second time: new connections take
  // over, the old ones finish.
  for (const auto& link : Links(links_)) link->retire();
}

void Lane::keep_links(const std::vector<config::Server>& servers, int connections) {
  struct Wanted {
    const config::Server& server;
    std::shared_ptr<base::TlsClient> tls;
    int missing;
  };
  std::vector<Wanted> wanted;
  if (serves() && connections > 0) {
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
  gearman::LinkOwner& owner = *this;
  for (const auto& [server, tls, missing] : wanted) {
    for (int count = missing; count > 0; --count) {
      links_.push_back(std::make_shared<gearman::Link>(
          context_.resolver, context_.deadlines, owner,
          gearman::Link::Settings{server.address, context_.servers[server.address], context_.client_id,
                                  functions_, context_.loop_timeout, tls}));
      links_.back()->start();
    }
  }
}

void Lane::stop_links() {
  for (const auto& link : Links(links_)) {
    if (link->connected()) {
      kMainLog.warn("gearmand {}: it answers no goodbye; whether it has read the last results is not known",
                    base::to_string(link->server()));
    }
    link->stop();
  }
}

bool Lane::is_retiring() const {
  return std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->retiring(); });
}

bool Lane::has_unsent() const {
  return std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->has_unsent(); });
}

int Lane::wanted() const {
  int wanted = 0;
  for (const auto& link : links_) wanted += link->wanted();
  return wanted;
}

int Lane::room() const {
  if (!upstream_) return 0;
  return std::min(std::max(most_ - jobs(), 0), upstream_->room());
}

int Lane::grab(int most) {
  int left = most;
  while (left > 0) {
    const auto wanting = static_cast<int>(
        std::count_if(links_.begin(), links_.end(), [](const auto& link) { return link->wanted() > 0; }));
    if (wanting == 0) break;
    const int share = std::max(left / wanting, 1);
    for (std::size_t count = links_.size(); count > 0 && left > 0; --count) {
      gearman::Link& link = *links_[next_link_++ % links_.size()];
      if (const int grabs = std::min({link.wanted(), share, left}); grabs > 0) {
        link.grab(grabs);
        left -= grabs;
      }
    }
  }
  if (left < most) {
    reserve(most - left);
    has_to_send_ = true;
  }
  return most - left;
}

int Lane::unsleep(int most) {
  int sent = 0;
  for (const auto& link : links_) {
    if (sent >= std::min(most, most_ - jobs())) break;
    if (!link->wants_unsleep()) continue;
    link->unsleep();
    reserve(1);
    ++sent;
    has_to_send_ = true;
  }
  return sent;
}

void Lane::flush() {
  if (!std::exchange(has_to_send_, false)) return;
  for (const auto& link : links_) link->flush();
}

void Lane::reserve(int count) {
  reserved_ += count;
  if (upstream_) upstream_->reserved(count);
}

bool Lane::job_assigned(gearman::Link& link, const gearman::Assignment& assignment,
                        std::unique_ptr<char[]> storage) {
  reserve(-1);
  return pool_.job_assigned(link, assignment, std::move(storage));
}

void Lane::slots_released(int count) {
  reserve(-count);
  pool_.slots_released(count);
}

void Lane::turn_needed() {
  has_to_send_ = true;
  pool_.turn_needed();
}

void Lane::link_closed(gearman::Link& link) {
  std::erase_if(links_, [&](const auto& mine) { return mine.get() == &link; });
  pool_.link_closed(link);
}

}  // namespace driveshaft::dispatch
