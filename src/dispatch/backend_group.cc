// SPDX-License-Identifier: MIT
#include "dispatch/backend_group.h"

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "log/log.h"
#include "net/address.h"
#include "text/printable.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;

// The least time between two look-ups of a name whose backends cannot be reached.
constexpr auto kLeastBetweenLookUps = 1s;

bool is_name(const net::Uri& uri) { return !uri.is_unix() && !net::is_ip_address(uri.host); }

}  // namespace

BackendGroup::BackendGroup(Context& context, BackendOwner& owner, Admission& admission,
                           Admission::EndpointCounters& endpoint, const config::PoolConfig& settings,
                           config::BackendConfig config, std::string name)
    : context_(context),
      owner_(owner),
      admission_(admission),
      endpoint_(endpoint),
      settings_(settings),
      config_(std::move(config)),
      name_(std::move(name)),
      has_name_(is_name(config_.uri)) {
  add({});
}

void BackendGroup::start() {
  if (has_name_) look_up();
}

void BackendGroup::configure(const config::Changes& changes, config::BackendConfig config, std::string name) {
  config_ = std::move(config);
  name_ = std::move(name);
  if (renews(changes, config::Renewal::connections)) {
    std::vector<Backend*> before;
    for (const auto& backend : backends_) {
      if (!backend->retired()) before.push_back(backend.get());
    }
    for (Backend* backend : before) {
      add(backend->is_by_name() ? BackendAddresses{} : backend->addresses());
      backend->retire();
    }
  }
  for (const auto& backend : backends_) backend->configure(changes, config_, name_);
  if (has_name_ && renews(changes, config::Renewal::pace)) look_up_later();
}

void BackendGroup::retire() {
  retired_ = true;
  refresh_.clear();
  for (const auto& backend : backends_) {
    if (!backend->retired()) backend->retire();
  }
}

void BackendGroup::sweep() {
  std::erase_if(backends_, [](const auto& backend) { return backend->retired() && backend->unused(); });
}

void BackendGroup::add(BackendAddresses addresses) {
  backends_.push_back(std::make_unique<Backend>(context_, owner_, admission_, endpoint_, settings_, config_,
                                                name_, std::move(addresses)));
}

void BackendGroup::look_up() {
  if (looking_up_ || retired_) return;
  context_.resolver.look_up(config_.uri.host, [weak = weak_from_this()](const auto& answer) {
    if (const auto self = weak.lock()) self->on_answer(answer);
  });
  looking_up_ = true;
  looked_up_at_ = Clock::now();
}

void BackendGroup::on_answer(const net::Resolver::Answer& answer) {
  looking_up_ = false;
  if (retired_) return;
  log_whether_found(answer);
  if (answer) {
    std::vector<asio::ip::address> found;
    for (const auto& address : *answer) found.push_back(address.address());
    avoid_unreachable_family();
    const auto expected = backends_of(found, avoided_);
    const bool too_many = expected.size() == kMostAddresses && found.size() > kMostAddresses;
    if (too_many && !std::exchange(too_many_logged_, true)) {
      log::kMainLog.warn(
          "pool {}: the name {} has {} addresses, and only {} of them are used: have several names in "
          "job_processing_uri",
          text::printable(settings_.name, 128), config_.uri.host, found.size(), kMostAddresses);
    }
    set_addresses(expected);
  }
  look_up_later();
}

// Logs only about a name that has been found before: jobs that cannot be sent have their own lines.
void BackendGroup::log_whether_found(const net::Resolver::Answer& answer) {
  if (!answer && !is_found_) return;
  const auto was_found = std::exchange(is_found_, answer.has_value());
  if (!was_found || was_found == is_found_) return;
  const auto pool = text::printable(settings_.name, 128);
  if (answer) {
    log::kMainLog.info("pool {}: the name {} is found again", pool, config_.uri.host);
  } else {
    log::kMainLog.warn("pool {}: the name {} cannot be looked up: {}; its backends stay as they are", pool,
                       config_.uri.host, answer.error().message);
  }
}

void BackendGroup::look_up_later() {
  using std::chrono::milliseconds;
  const auto every = settings_.settings.dns_refresh;
  if (every > 0ms) {
    context_.deadlines.set(refresh_, base::jittered(every * 9 / 10, every));
  } else {
    refresh_.clear();
  }
}

void BackendGroup::look_up_soon() {
  if (!has_name_ || looking_up_ || retired_) return;
  const auto soonest = looked_up_at_ + kLeastBetweenLookUps;
  if (Clock::now() >= soonest) return look_up();
  context_.deadlines.set(refresh_, soonest);
}

// If none of several backends can be reached, there may be no route for their address family.
void BackendGroup::avoid_unreachable_family() {
  const bool none = std::all_of(backends_.begin(), backends_.end(), [](const auto& backend) {
    return backend->retired() || backend->cannot_be_reached();
  });
  const auto current = std::find_if(backends_.begin(), backends_.end(),
                                    [](const auto& backend) { return !backend->retired(); });
  if (none && current != backends_.end() && (*current)->addresses().size() == 1) {
    avoided_ = family_of((*current)->addresses().front());
  }
}

void BackendGroup::set_addresses(const std::vector<BackendAddresses>& expected) {
  Backend& first = *backends_.front();
  if (expected.size() == 1 && backends_.size() == 1 && first.is_by_name() && first.addresses().empty()) {
    return first.note_addresses(expected.front());
  }
  for (const auto& backend : backends_) {
    const bool stays = std::find(expected.begin(), expected.end(), backend->addresses()) != expected.end() &&
                       (!backend->is_by_name() || expected.size() == 1);
    if (stays || backend->retired()) continue;
    if (!backend->is_by_name()) {
      log::kMainLog.info(
          "pool {}: backend {} is gone: its name has other addresses now; it finishes its jobs",
          text::printable(settings_.name, 128), backend->name());
    }
    backend->retire();
  }
  for (const auto& addresses : expected) {
    const bool is_there = std::any_of(backends_.begin(), backends_.end(), [&](const auto& backend) {
      return !backend->retired() && backend->addresses() == addresses;
    });
    if (is_there) continue;
    add(addresses);
    log::kMainLog.info("pool {}: backend {} is new", text::printable(settings_.name, 128),
                       backends_.back()->name());
  }
  owner_.backend_changed();
}

}  // namespace driveshaft::dispatch
