// SPDX-License-Identifier: MIT
#pragma once

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>

// Expected failures are values. Their type says what they cost:
//   base::Error             the caller decides; nothing is lost yet
//   http::Failure           one job fails, nothing else: there is no response
//   dispatch::NotAnAnswer   one job fails, nothing else: the response is no answer of the contract
//   gearman::LinkError      one connection to gearmand is closed and made anew
//   base::StartupError      (an exception) the process does not start
namespace driveshaft::base {

// `message` is a full sentence for the operator: place, value, remedy. No trailing newline.
struct Error {
  std::string message;
};

template <class T, class E = Error>
using Result = boost::system::result<T, E>;

// Thrown while starting, before any job is taken; main() prints it and exits with `exit_code`.
class StartupError : public std::runtime_error {
 public:
  StartupError(int exit_code, const std::string& message)
      : std::runtime_error(message), exit_code_(exit_code) {}
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

// Required by Result<T>::value(): to ask a failed result for its value is a bug in the caller.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::logic_error("value() of a failed result: " + error.message);
}

}  // namespace driveshaft::base
