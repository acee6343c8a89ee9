// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

// What the admin server answers to one request. No I/O.
namespace driveshaft::admin {

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

}  // namespace driveshaft::admin
