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

// A daemon's exporter address, with the token and the TLS settings for it.
struct Daemon {
  Target target;
  text::Secret token;                   // empty: no token is sent
  std::shared_ptr<net::TlsClient> tls;  // null: plain text
};

// Reads the files that the target names. The error names a file that cannot be used.
base::Result<Daemon> reach(const Target& target);

struct Answer {
  unsigned status = 0;
  std::string body;
};

// What a user can do about an answer with this HTTP status, to be appended to a message; may be empty.
std::string_view remedy(unsigned status);

// get(), post() and post_to_socket() send one request. An error says why there is no answer. The size of the
// answer is limited, and so is the time, but not the time in which the system resolves the host's name.

// Sends a GET, and returns the answer's body. Every status but 200 is an error.
asio::awaitable<base::Result<std::string>> get(const Daemon& daemon, std::string_view path);
// Sends a POST with a JSON body. The answer may have any status. `timeout`: the limit for connecting, and
// then for the rest.
asio::awaitable<base::Result<Answer>> post(const Daemon& daemon, std::string_view path, std::string_view body,
                                           std::chrono::seconds timeout);
// Sends a POST with a JSON body to the control socket with this path, which a daemon on this host has.
// `timeout`: the limit for the time after connecting.
asio::awaitable<base::Result<Answer>> post_to_socket(const std::string& socket, std::string_view path,
                                                     std::string_view body, std::chrono::seconds timeout);

// Runs the loop until one of them has ended, and returns the result. The loop has no other work.
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
