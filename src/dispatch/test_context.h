// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "dispatch/context.h"
#include "http/test_endpoint.h"

namespace driveshaft::dispatch {

// For tests: a Context, and everything that it refers to.
struct TestContext {
  asio::io_context loop;
  base::DeadlineWheel deadlines{loop};
  net::Resolver resolver{loop};
  gearman::Servers servers{deadlines};
  net::TlsClients tls;
  metrics::Registry metrics;
  Context context{.loop = loop,
                  .deadlines = deadlines,
                  .resolver = resolver,
                  .servers = servers,
                  .tls = tls,
                  .metrics = metrics,
                  .decoder = {},
                  .max_running_time = std::chrono::hours(1),
                  .loop_timeout = std::chrono::seconds(10),
                  .client_id = "me",
                  .host = "here"};
};

// A response that is an answer of the contract.
inline std::string test_answer(std::string_view text, int gearman_ret = 0) {
  return http::test_response("{\"gearman_ret\": " + std::to_string(gearman_ret) +
                             ", \"response_string\": \"" + std::string(text) + "\"}");
}

}  // namespace driveshaft::dispatch
