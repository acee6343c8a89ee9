// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "config/value.h"

// Reads the text of a jobs file into a Config, or into a list of all its errors.
namespace driveshaft::config {

struct Parsed {
  Config config;
  std::vector<std::string> warnings;
  std::vector<std::string> notes{};  // see advice.h; former names of keys
  std::vector<std::string> files{};  // the files that it names; load() has read them
};

// Lines for the operator, in the file's order. Each names the path, what was expected, what stands there,
// and the line:
//   pools_list.Regular.worker_count: expected a whole number ≥ 0, got "ten" (line 14)
// A warning often explains an error: a misspelt key is unknown, and the right one is missing.
struct Rejected {
  std::vector<std::string> errors;  // at least one
  std::vector<std::string> warnings;
  std::vector<std::string> files{};  // as in Parsed, up to the error
};

// Text that is not JSON gives one error, anything else all of them at once. Pure, but for `read_file`:
// without it, values that stand in other files are left empty.
base::Result<Parsed, Rejected> parse(std::string_view text, const ReadFile& read_file = {});

// Required by Result<Parsed, Rejected>::value(): to ask a failed result for its value is a bug in the caller.
[[noreturn]] inline void throw_exception_from_error(const Rejected& rejected, const boost::source_location&) {
  throw std::logic_error("value() of a rejected jobs file: " + rejected.errors.front());
}

}  // namespace driveshaft::config
