// SPDX-License-Identifier: MIT
// The value of Retry-After: any bytes give nothing, or a wait from none to a year, and a number means itself.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/retry_after.h"

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kYear = 365 * 24h;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const std::chrono::system_clock::time_point now(1'800'000'000s);
  const auto wait = driveshaft::http::parse_retry_after(value, now);
  if (wait) require(*wait >= 0s && *wait <= kYear);
  const bool digits =
      !value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return 0;
  require(wait.has_value());
  if (size > 8) return 0;
  long number = 0;
  for (const char c : value) number = number * 10 + (c - '0');
  require(*wait == std::min(std::chrono::seconds(number), kYear));
  return 0;
}
