// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// The answers of the admin server by path. No I/O.
namespace driveshaft::admin {

struct Health {
  bool ok = false;
  std::string detail;  // one line for a person: why, or what is fine
};

// The functions that make the answers. They are called in the admin server's thread, one at a time.
struct Sources {
  std::function<std::string()> metrics;  // Prometheus text format
  std::function<Health()> health;        // does the loop turn?
  std::function<Health()> ready;         // is there a gearmand to take jobs from?
};

struct Reply {
  unsigned status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string_view allow = {};  // value of the Allow header, which only status 405 needs
  std::span<const std::string_view> authenticate =
      {};  // WWW-Authenticate headers, which only status 401 needs
};

inline constexpr std::string_view kJson = "application/json";

// An error of the API: {"error": "…"}.
Reply api_error(unsigned status, std::string_view what);

// Whether the target is health or readiness, which probes ask for.
bool is_probe(std::string_view target);

// The reply that a probe without a token gets: only the status.
Reply without_details(Reply reply);

// The answer to a method other than GET and HEAD; nothing for these two.
std::optional<Reply> refuse_method(std::string_view method);

// Makes the answer to a request. `target` may have a query. Throws what a source throws.
Reply answer(std::string_view method, std::string_view target, const Sources& sources);

}  // namespace driveshaft::admin
