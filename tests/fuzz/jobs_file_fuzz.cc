// SPDX-License-Identifier: MIT
// The jobs file: any bytes give a Config or errors, and our JSON reader accepts what Boost's does.
#include <algorithm>
#include <boost/json/error.hpp>
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/diff.h"
#include "config/json_tree.h"
#include "config/parse.h"

namespace {

using namespace driveshaft::config;

void require(bool holds) {
  if (!holds) std::abort();
}

// Where the two may differ: our bounds, and numbers beyond a double, which Boost makes infinite.
bool bounded(std::string_view message) {
  return message.find("more than") != message.npos || message.find("no double can hold") != message.npos;
}

void agrees_with_boost(std::string_view text) {
  const auto ours = parse_json(text);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  boost::system::error_code theirs;
  boost::json::parse_options options;
  options.max_depth = 2 * kMaxJsonDepth;
  boost::json::parse({text.data(), text.size()}, theirs, {}, options);
  if (theirs == boost::json::error::exponent_overflow || (!ours && bounded(ours.error().message))) return;
  require(ours.has_value() == !theirs);
}

bool fit_for_a_log(const std::vector<std::string>& lines) {
  return std::all_of(lines.begin(), lines.end(), [](const std::string& line) {
    return std::none_of(line.begin(), line.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  });
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  agrees_with_boost(text);
  const auto parsed = parse(text);
  if (!parsed) {
    require(!parsed.error().errors.empty());
    require(fit_for_a_log(parsed.error().errors) && fit_for_a_log(parsed.error().warnings));
    return 0;
  }
  require(!parsed->config.servers.empty());
  require(fit_for_a_log(parsed->warnings));
  require(compare(parsed->config, parsed->config).empty());
  require(fit_for_a_log(compare(Config{}, parsed->config)));
  return 0;
}
