// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/target.h"
#include "net/asio.h"
#include "net/tls.h"
#include "text/secret.h"

namespace driveshaft::cli {

// A daemon's exporter address, and what is needed there.
struct Daemon {
  Target target;
  text::Secret token;                   // empty: none is shown
  std::shared_ptr<net::TlsClient> tls;  // null: plain text
};

// Reads the files of the target. The error names one that cannot be used.
base::Result<Daemon> reach(const Target& target);

struct Answer {
  unsigned status = 0;
  std::string body;
};

// The answers of a daemon, or why there is none. Time and size of an answer are limited.

// What a user can do about an answer of this status, to be put behind what it says; may be empty.
std::string_view remedy(unsigned status);

// To a GET: its body, if the status is 200.
asio::awaitable<base::Result<std::string>> get(const Daemon& daemon, std::string_view path);
// To a POST of JSON.
asio::awaitable<base::Result<Answer>> post(const Daemon& daemon, std::string_view path, std::string_view body,
                                           std::chrono::seconds patience);

// Runs one of these, and nothing beside it.
template <class Result>
base::Result<Result> wait_for(asio::io_context& io, asio::awaitable<base::Result<Result>> answer) {
  base::Result<Result> result = base::Error{};
  asio::co_spawn(io, std::move(answer), [&](const std::exception_ptr& bug, base::Result<Result> got) {
    if (bug) std::rethrow_exception(bug);
    result = std::move(got);
  });
  io.run();
  return result;
}

}  // namespace driveshaft::cli
