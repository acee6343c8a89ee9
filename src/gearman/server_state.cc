// SPDX-License-Identifier: MIT
#include "gearman/server_state.h"

#include <fmt/format.h>

#include <utility>

#include "log/log.h"
#include "text/counted.h"

namespace driveshaft::gearman {
namespace {

using namespace std::chrono_literals;
using log::kMainLog;

// Connections that are lost within this time are logged together.
constexpr auto kMergeWithin = 100ms;

}  // namespace

void ServerState::connected() {
  if (failures_ > 0) on_deadline();
  ++connections_;
  if (std::exchange(said_, Said::up) == Said::up) return;
  dialect_ = Dialect::gearmand;  // another program may run there now
  kMainLog.info("gearmand {}: connected", name_);
}

void ServerState::falls_back(Dialect dialect, const std::string& error) {
  if (std::exchange(dialect_, dialect) == dialect) return;
  kMainLog.warn(
      "gearmand {}: it does not know GRAB_JOB_UNIQ, so it is taken for a Perl Gearman::Server and asked with "
      "GRAB_JOB: jobs come without their unique, their data and warnings reach no client, and jobs whose "
      "connection is lost have failed. It said {}",
      name_, error);
}

void ServerState::failed(const std::string& why, int running) {
  if (failures_++ == 0) {
    why_ = why;
    deadlines_.set(*this, kMergeWithin);
  }
  running_ += running;
}

void ServerState::on_deadline() {
  clear();
  const int failures = std::exchange(failures_, 0);
  const int running = std::exchange(running_, 0);
  const bool down = connections_ == 0;
  if (down && std::exchange(said_, Said::down) == Said::down) return;
  std::string line = fmt::format("gearmand {}: {}", name_, why_);
  if (failures > 1) line += fmt::format(" ({} connections)", failures);
  if (running > 0) {
    const auto jobs = text::counted(static_cast<std::uint64_t>(running), "job", "was", "were");
    const bool one = running == 1;
    line += fmt::format("; {} running: {}, and {} dropped", jobs,
                        dialect_ == Dialect::perl ? (one ? "it has failed" : "they have failed")
                        : one                     ? "gearmand runs it again if it still has it"
                                                  : "gearmand runs them again if it still has them",
                        one ? "its result is" : "their results are");
  }
  line += "; trying again until it answers";
  if (!down) {
    line += "; " + text::counted(static_cast<std::uint64_t>(connections_), "other connection", "is", "are") +
            " up";
  }
  kMainLog.write(log::Level::warn, line);
}

}  // namespace driveshaft::gearman
