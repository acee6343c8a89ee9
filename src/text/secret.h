// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>

namespace driveshaft::text {

// Text that must not appear in a log line, an error, the API or the page. It cannot be formatted, printed or
// concatenated, so code that shows it by mistake does not compile. Code that has to send it calls reveal().
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}

  bool empty() const { return bytes_.empty(); }
  // The bytes; valid as long as this object. The caller gives them only to the peer that they are meant for.
  const std::string& reveal() const { return bytes_; }

  bool operator==(const Secret&) const = default;

 private:
  std::string bytes_;
};

}  // namespace driveshaft::text
