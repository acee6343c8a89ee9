// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "dispatch/status.h"
#include "log/loss.h"
#include "net/tls.h"

namespace driveshaft::monitor {

using dispatch::Detail;
using dispatch::SteadyTime;
using dispatch::WallTime;

// What does not change while the daemon runs.
struct About {
  std::string version;
  std::string host;
  pid_t pid = 0;
  WallTime started_at;
  std::string client_id;  // how gearmand lists our connections
  std::string jobs_file;
  std::string exporter;        // as an argument of `driveshaft failures`, " :20888"; empty: none is needed
  bool takes_actions = false;  // on the exporter address, with a token
  std::chrono::milliseconds max_running_time{};
};

// The jobs file in force, and what is wrong with the file on disk if that one was rejected.
struct ConfigState {
  std::shared_ptr<const config::Config> in_force;
  WallTime loaded_at;
  std::vector<std::string> errors;  // not empty: the file on disk was rejected
  WallTime rejected_at;
  std::optional<SteadyTime> unanswered_since;  // the file system has not answered a look at the files
};

// The resources of the process.
struct Process {
  std::uint64_t may_open = 0;                    // file descriptors at once
  std::uint64_t needs_open = 0;                  // file descriptors, when all slots are busy
  std::optional<SteadyTime> lacked_descriptors;  // when one was last needed and none was free
  log::Loss log;
  std::vector<net::Certificate> certificates;
};

// The state of the daemon at one moment, made by the loop's thread and never changed.
struct Snapshot {
  SteadyTime at;
  WallTime wall;  // the same moment
  bool draining = false;
  ConfigState config;
  Process process;
  std::vector<dispatch::PoolStatus> pools;

  WallTime wall_time(SteadyTime then) const {
    return wall + std::chrono::duration_cast<WallTime::duration>(then - at);
  }
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// Asks for a snapshot. May be called in any thread; `done` is called in the loop's thread, and is not called
// while the loop stands still.
using SnapshotSource = std::function<void(Detail, std::function<void(SnapshotPtr)> done)>;

}  // namespace driveshaft::monitor
