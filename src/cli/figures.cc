// SPDX-License-Identifier: MIT
#include "cli/figures.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>

#include "text/printable.h"

namespace driveshaft::cli {

namespace json = boost::json;

std::string safe(const json::value& value) {
  const auto& text = value.as_string();
  return text::printable({text.data(), text.size()}, 2000);
}

double number_of(const json::value& value) { return value.to_number<double>(); }

std::string number(const json::value& value) {
  if (value.is_null()) return "-";
  const double number = number_of(value);
  if (std::trunc(number) == number) return fmt::format("{:.0f}", number);
  return fmt::format("{:.{}f}", number, std::abs(number) >= 100 ? 0 : std::abs(number) >= 10 ? 1 : 2);
}

std::string seconds(const json::value& value) {
  if (value.is_null()) return "-";
  const double seconds = number_of(value);
  if (seconds > 0 && seconds < 0.00005) return "<0.1ms";
  if (seconds < 0.0995) return fmt::format("{:.1f}ms", seconds * 1e3);
  if (seconds < 0.9995) return fmt::format("{:.0f}ms", seconds * 1e3);
  if (seconds < 120) return fmt::format("{:.{}f}s", seconds, seconds < 10 ? 1 : 0);
  if (seconds < 7200) return fmt::format("{:.0f}min", std::floor(seconds / 60));
  if (seconds < 172800) return fmt::format("{:.0f}h", std::floor(seconds / 3600));
  return fmt::format("{:.0f}d", std::floor(seconds / 86400));
}

std::string time_of_day(double at) {
  const auto whole = static_cast<std::time_t>(std::floor(at));
  std::tm local{};
  if (!::localtime_r(&whole, &local)) return "-";
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace driveshaft::cli
