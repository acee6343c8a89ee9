// SPDX-License-Identifier: MIT
#include "http/retry_after.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

namespace driveshaft::http {
namespace {

using std::chrono::seconds;

// A longer wait means "never".
constexpr seconds kLongest = std::chrono::hours(24 * 365);

}  // namespace

std::optional<seconds> parse_retry_after(std::string_view value, std::chrono::system_clock::time_point now) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!value.empty() && std::all_of(value.begin(), value.end(), is_digit)) {
    long count = 0;
    const auto end = value.data() + value.size();
    if (std::from_chars(value.data(), end, count).ec != std::errc()) return kLongest;
    return std::min(seconds(count), kLongest);
  }
  const std::string text(value);
  // The format of today, that of RFC 850, and that of asctime(). The program keeps the C locale, so the names
  // of days and months are English.
  for (const char* form :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
    std::tm date{};
    const char* end = ::strptime(text.c_str(), form, &date);
    if (!end || *end != '\0') continue;
    // In whole seconds: the nanoseconds of the clock would overflow for distant dates.
    const seconds wait = seconds(::timegm(&date)) - std::chrono::floor<seconds>(now.time_since_epoch());
    return std::clamp(wait, seconds(0), kLongest);
  }
  return std::nullopt;
}

}  // namespace driveshaft::http
