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
  std::vector<std::string> notes{};  // advice (advice.h), and former names of keys that the file uses
  std::vector<std::string> files{};  // set by load(): the named files that it has read
};

// The messages about a file with errors, in the order of the file. Each names the path of the key, the
// expected value, the actual value, and the line:
//   pools_list.Regular.worker_count: expected a whole number ≥ 0, got "ten" (line 14)
// A warning often explains an error: if a key is misspelt, a warning names the unknown key, and an error the
// missing one.
struct Rejected {
  std::vector<std::string> errors;  // at least one
  std::vector<std::string> warnings;
  std::vector<std::string> files{};  // as in Parsed; if a file for TLS cannot be used, those files as well
};

// Text that is not JSON gives one error; otherwise all errors are found at once. `read_file` reads the files
// that the text names. Without it, values that stand in other files are left empty, and this function is
// pure.
base::Result<Parsed, Rejected> parse(std::string_view text, const ReadFile& read_file = {});

// Required by Result<Parsed, Rejected>::value(): to ask a failed result for its value is a bug in the caller.
[[noreturn]] inline void throw_exception_from_error(const Rejected& rejected, const boost::source_location&) {
  throw std::logic_error("value() of a rejected jobs file: " + rejected.errors.front());
}

}  // namespace driveshaft::config
