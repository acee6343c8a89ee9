// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/deadlines.h"
#include "dispatch/answer_decoder.h"
#include "gearman/server_state.h"
#include "metrics/metrics.h"
#include "net/asio.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace driveshaft::dispatch {

// What all pools and jobs share. It is made once and outlives them all. Used on the loop's thread only.
struct Context {
  asio::io_context& loop;
  base::DeadlineWheel& deadlines;
  net::Resolver& resolver;
  gearman::Servers& servers;
  net::TlsClients& tls;
  metrics::Registry& metrics;
  AnswerDecoder decoder;

  std::chrono::milliseconds max_running_time;  // of a job, all its attempts together
  std::chrono::milliseconds loop_timeout;      // a gearmand that is silent for so long is pinged
  std::string client_id;                       // the name by which gearmand lists our connections
  std::string host;                            // this machine's name
  std::size_t log_workload_size = 1024;        // bytes of a workload or response in a log line
  std::uint64_t jobs_done = 0;                 // jobs that have ended since the start, in any way
};

}  // namespace driveshaft::dispatch
