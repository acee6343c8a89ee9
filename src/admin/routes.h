// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "admin/reply.h"

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

// The answer to a method other than GET and HEAD; nothing for these two.
std::optional<Reply> refuse_method(std::string_view method);

// Makes the answer to a request. `target` may have a query. Throws what a source throws.
Reply answer(std::string_view method, std::string_view target, const Sources& sources);

}  // namespace driveshaft::admin
