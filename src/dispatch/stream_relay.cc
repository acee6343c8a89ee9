// SPDX-License-Identifier: MIT
#include "dispatch/stream_relay.h"

namespace driveshaft::dispatch {

base::Result<bool, NotAnAnswer> StreamRelay::feed(std::string_view bytes) {
  if (auto fed = decoder_.feed(bytes, *this); !fed) return fed.error();
  return !link_.congested();
}

void StreamRelay::status(std::uint32_t numerator, std::uint32_t denominator) {
  link_.send_status(generation_, handle_, numerator, denominator);
}

void StreamRelay::data(std::string_view bytes) {
  gave_data_ = true;
  link_.send_data(generation_, handle_, bytes);
}

void StreamRelay::warning(std::string_view text) {
  gave_data_ = true;
  link_.send_warning(generation_, handle_, text);
}

}  // namespace driveshaft::dispatch
