// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>

namespace driveshaft::text {

// Text that must not be shown: in a log line, an error, the API or the page. Nothing formats, prints or
// concatenates it, so that showing it by mistake does not compile. Whoever has to send it asks for its bytes.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}

  bool empty() const { return bytes_.empty(); }
  // The bytes, which live as long as this object. The caller shows them to nobody but their addressee.
  const std::string& reveal() const { return bytes_; }

  bool operator==(const Secret&) const = default;

 private:
  std::string bytes_;
};

}  // namespace driveshaft::text
