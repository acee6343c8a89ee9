// SPDX-License-Identifier: MIT
#include "dispatch/dead_letter.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iterator>
#include <random>
#include <utility>

namespace driveshaft::dispatch {
namespace {

std::string utc(std::chrono::system_clock::time_point time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto millis = std::chrono::floor<std::chrono::milliseconds>(time - whole);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(whole)),
                     millis.count());
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(",\"").append(name).append("\":");
  append_json_string(out, value);
}

}  // namespace

std::string encode(const DeadLetter& letter) {
  RequestBody body;
  encode(config::RequestFormat::json, letter.job, body);
  std::string out = std::move(body.before);
  out.append(body.workload).append(body.after);
  out.pop_back();  // the brace: there is more to say
  append_field(out, "error", letter.error);
  fmt::format_to(std::back_inserter(out), ",\"attempts\":{}", letter.attempts);
  append_field(out, "first_time", utc(letter.first));
  append_field(out, "last_time", utc(letter.last));
  append_field(out, "pool", letter.pool);
  append_field(out, "host", letter.host);
  out += '}';
  return out;
}

std::string new_unique() {
  std::random_device random;
  return fmt::format("dead-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

}  // namespace driveshaft::dispatch
