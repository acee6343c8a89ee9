// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

// What the admin server answers to which path. No I/O.
namespace driveshaft::admin {

struct Health {
  bool ok = false;
  std::string detail;  // one line for a person: why, or what is fine
};

// Where the answers come from. Called in the admin server's thread, one at a time.
struct Sources {
  std::function<std::string()> metrics;  // Prometheus text format
  std::function<Health()> health;        // does the loop turn?
  std::function<Health()> ready;         // is there a gearmand to take jobs from?
};

struct Reply {
  unsigned status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string_view allow = {};  // value of the Allow header, when it is due
};

// The answer to a method that only reading clients do not use, or nothing.
std::optional<Reply> refuse_method(std::string_view method);

// `target` is the request's, with its query if it has one. Throws what a source throws.
Reply answer(std::string_view method, std::string_view target, const Sources& sources);

}  // namespace driveshaft::admin
