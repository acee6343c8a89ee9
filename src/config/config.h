// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/uri.h"

// The jobs file as values. Every default stands here and nowhere else.
namespace driveshaft::config {

// How a job is written into the body of the POST.
enum class RequestFormat { json, multipart, urlencoded };

// How the text of a failed job (gearman_ret other than 0) reaches the client.
enum class FailureText {
  exception,  // as WORK_EXCEPTION, for clients that ask for exceptions, as php-gearman does
  warning,    // as WORK_WARNING, then WORK_FAIL: for any client
  drop,       // WORK_FAIL alone
};

// Settings a pool may give itself; given at the top level of the jobs file they hold for every pool
// that does not.
struct PoolSettings {
  RequestFormat request_format = RequestFormat::json;
  FailureText failure_text = FailureText::exception;
  int connections = 1;                               // to each gearmand server, 1 … 64
  std::chrono::milliseconds connect_timeout{5000};   // name, TCP and TLS together; > 0
  std::size_t max_response_size = 64 * 1024 * 1024;  // bytes of an endpoint's body; > 0

  bool operator==(const PoolSettings&) const = default;
};

struct Pool {
  std::string name;
  base::Uri uri;                       // job_processing_uri
  int worker_count = 0;                // slots: jobs running at once; 0 takes none
  std::vector<std::string> jobs_list;  // function names, in the file's order, each once
  PoolSettings settings;

  bool operator==(const Pool&) const = default;
};

struct Config {
  std::vector<base::Address> servers;    // gearman_servers_list, in the file's order, each once
  std::vector<Pool> pools;               // pools_list, in the file's order
  std::size_t log_workload_size = 1024;  // bytes of a workload or response shown in a log line

  bool operator==(const Config&) const = default;
};

}  // namespace driveshaft::config
