// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/deadlines.h"
#include "dispatch/contract.h"
#include "gearman/server_state.h"
#include "metrics/metrics.h"
#include "net/asio.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace driveshaft::dispatch {

// What every pool and job shares. Made once, outlives them all; the loop's thread only.
struct Context {
  asio::io_context& loop;
  base::DeadlineWheel& deadlines;
  net::Resolver& resolver;
  gearman::Servers& servers;
  net::TlsClients& tls;
  metrics::Registry& metrics;
  AnswerDecoder decoder;

  std::chrono::milliseconds max_running_time;  // of a job, all attempts and phases together
  std::chrono::milliseconds loop_timeout;      // silence after which a gearmand is pinged
  std::string client_id;                       // how gearmand lists our connections
  std::string host;                            // this machine's name
  std::size_t log_workload_size = 1024;        // bytes of a workload or response in a log line
  std::uint64_t jobs_done = 0;                 // since the start, however they ended
};

}  // namespace driveshaft::dispatch
