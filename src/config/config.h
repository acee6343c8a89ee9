// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/address.h"
#include "net/tls_settings.h"
#include "net/uri.h"
#include "text/secret.h"

// The values of a jobs file. Every default stands here and nowhere else.
namespace driveshaft::config {

// How a job is written into the body of the POST.
enum class RequestFormat { json, multipart, urlencoded };

// How the text of a failed job (gearman_ret other than 0) reaches the client.
enum class FailureText {
  exception,  // as WORK_EXCEPTION: some clients that did not ask for exceptions then hang or die
  warning,    // as WORK_WARNING, then WORK_FAIL: for any client
  drop,       // WORK_FAIL alone
};

// What becomes of a job whose request cannot reach the endpoint.
enum class EndpointDown {
  hold,  // it waits in its slot until the endpoint can be reached; the pool takes no more
  fail,
};

// What becomes of jobs that still run at the end of a shutdown's window.
enum class OnShutdown {
  fail,
  requeue,  // they are left unanswered, so gearmand gives them to another worker
};

// Why an attempt at a job failed.
enum class AttemptFailure {
  timeout,            // no complete response within attempt_timeout
  server_error,       // HTTP status 5xx
  too_many_requests,  // HTTP status 429
  connection_lost,    // broke before the response was complete
  invalid_response,   // not HTTP, not the contract, or too large
  failure,            // gearman_ret other than 0
  unreachable,        // with EndpointDown::fail
  other_status,       // any other HTTP status that is not 2xx; never tried again
};

// When a failed job is tried again, in its slot and within max_running_time.
struct Retry {
  int attempts = 1;                              // with the first one; 1: it is not tried again
  std::chrono::milliseconds initial_delay{200};  // before the second attempt; doubles for each one more
  std::chrono::milliseconds max_delay{30'000};
  std::chrono::milliseconds attempt_timeout{0};  // of one attempt; 0: max_running_time alone limits it
  std::vector<AttemptFailure> on{AttemptFailure::timeout, AttemptFailure::server_error,
                                 AttemptFailure::too_many_requests, AttemptFailure::connection_lost};

  bool operator==(const Retry&) const = default;
};

// When a pool stops sending jobs because too many of them fail.
struct BreakerSettings {
  bool on = false;
  double failure_ratio = 1;                  // of the last min_jobs attempts; > 0, ≤ 1
  int min_jobs = 20;                         // 1 … 10,000
  std::chrono::milliseconds window{10'000};  // in which these attempts have ended

  bool operator==(const BreakerSettings&) const = default;
};

// A header that every request of a pool carries.
struct Header {
  std::string name;
  std::string file;    // the value is its content; empty: it stands in the jobs file
  text::Secret value;  // from the jobs file or from `file`

  bool operator==(const Header&) const = default;
};

// What requests are signed with.
struct Signing {
  std::string file;                // of the secrets; empty: requests are not signed
  std::vector<text::Secret> keys;  // the secrets as bytes: one, or two while one is replaced by the other

  bool operator==(const Signing&) const = default;
};

// How the pool shares out its slots when they are scarce.
enum class Fairness {
  none,      // whatever comes next from gearmand, which drains one function of a connection before the next
  function,  // its functions: each has connections of its own
};

// Settings that may stand in a pool and at the top level of the jobs file, where they hold for every pool
// that does not have them.
struct PoolSettings {
  RequestFormat request_format = RequestFormat::json;
  FailureText failure_text = FailureText::warning;
  bool explain_failures = false;  // failures found by Driveshaft have the reason as text
  int gearmand_connections = 1;   // to each gearmand server, 1 … 64
  std::chrono::milliseconds endpoint_connect_timeout{5000};  // name, TCP and TLS together; > 0
  std::size_t max_response_size = 64 * 1024 * 1024;          // bytes of an endpoint's body; > 0
  EndpointDown endpoint_down = EndpointDown::hold;
  std::vector<unsigned> hold_on{502, 503};  // statuses that mean that the application is not there
  BreakerSettings breaker;
  std::chrono::milliseconds max_running_time{0};  // of a job, all attempts together; 0: the command line's
  Retry retry;
  std::string dead_letter_function;  // gets the jobs that finally failed; empty: none does
  OnShutdown on_shutdown = OnShutdown::fail;
  double max_rate = 0;          // grabbed jobs a second; 0: no limit
  bool adaptive = false;        // the endpoint's latency sets the limit, up to worker_count
  std::vector<Header> headers;  // in the file's order, no name twice
  Signing signing;
  std::chrono::milliseconds max_connection_age{300'000};  // of one to an endpoint, ± 20%; 0: no limit
  std::chrono::milliseconds dns_refresh{
      30'000};                // between look-ups of endpoints' names; 0: after failures only
  double trace_sampling = 1;  // share of the jobs whose trace is marked as sampled, 0 … 1
  Fairness fairness = Fairness::none;

  bool operator==(const PoolSettings&) const = default;
};

// A gearmand.
struct ServerConfig {
  net::Address address;
  std::optional<net::TlsSettings> tls = std::nullopt;  // none: plain text

  bool operator==(const ServerConfig&) const = default;
};

// One of the places that the jobs of an endpoint go to. A name with several addresses stands for several
// backends with these settings.
struct BackendConfig {
  net::Uri uri;
  int weight = 1;  // 0 … 100, its share of the jobs relative to the other weights; 0: it takes no more
  int max_concurrency = 0;  // jobs at once; 0: no limit of its own

  bool operator==(const BackendConfig&) const = default;
};

// Where jobs go: job_processing_uri.
struct EndpointConfig {
  EndpointConfig() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): one URI is an endpoint
  EndpointConfig(net::Uri uri) { backends.push_back({std::move(uri)}); }

  std::vector<BackendConfig> backends;  // in the file's order; at least one, no URI twice

  bool operator==(const EndpointConfig&) const = default;

  // The names of the backends for people: their URIs without user, password and query. If two names are
  // equal, the second one has " #2" after it, and so on.
  std::vector<std::string> names() const;
  // The endpoint as it may be shown: these names, or the first few of them.
  std::string display() const;
  template <class Is>
  bool has_uri(Is is) const {
    return std::any_of(backends.begin(), backends.end(),
                       [&](const BackendConfig& backend) { return is(backend.uri); });
  }
};

// The settings that a function has instead of the pool's.
struct FunctionSettings {
  std::optional<EndpointConfig> endpoint;         // none: the pool's
  int max_concurrency = 0;                        // jobs of it at once; 0: as many as the pool has slots
  std::chrono::milliseconds max_running_time{0};  // 0: the pool's

  bool operator==(const FunctionSettings&) const = default;
};

struct PoolConfig {
  std::string name;
  EndpointConfig endpoint;             // job_processing_uri
  int worker_count = 0;                // slots: jobs running at once; 0 takes none
  std::vector<std::string> jobs_list;  // function names, in the file's order, each once
  PoolSettings settings;
  net::TlsSettings endpoint_tls = {};      // for an https URI
  std::string fastcgi_document_root = {};  // for a FastCGI URI; empty: the script's folder
  std::map<std::string, FunctionSettings, std::less<>> functions = {};  // those of jobs_list that have any
  bool paused = false;                                                  // takes no jobs

  bool operator==(const PoolConfig&) const = default;

  // The settings of any function; defaults if it has none. Valid as long as the pool does not change.
  const FunctionSettings& of_function(std::string_view function) const {
    static const FunctionSettings none;
    const auto own = functions.find(function);
    return own == functions.end() ? none : own->second;
  }

  // How long a job of the function may run. `otherwise`: the value of the command line.
  std::chrono::milliseconds max_running_time_of(std::string_view function,
                                                std::chrono::milliseconds otherwise) const {
    const auto own = of_function(function).max_running_time;
    if (own.count() > 0) return own;
    return settings.max_running_time.count() > 0 ? settings.max_running_time : otherwise;
  }

  // Whether `is`(uri) is true for a URI of the pool or of one of its functions.
  template <class Is>
  bool has_uri(Is is) const {
    return endpoint.has_uri(is) || std::any_of(functions.begin(), functions.end(), [&](const auto& function) {
             return function.second.endpoint && function.second.endpoint->has_uri(is);
           });
  }
};

struct Config {
  std::vector<ServerConfig> servers;     // gearman_servers_list, in the file's order, each once
  std::vector<PoolConfig> pools;         // pools_list, in the file's order
  std::size_t log_workload_size = 1024;  // bytes of a workload or response shown in a log line

  bool operator==(const Config&) const = default;
};

}  // namespace driveshaft::config
