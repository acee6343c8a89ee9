// SPDX-License-Identifier: MIT
#include "dispatch/dead_letter.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <charconv>
#include <iterator>
#include <random>
#include <utility>

#include "text/base64.h"
#include "text/json_string.h"

namespace driveshaft::dispatch {
namespace {

namespace json = boost::json;
using base::Error;
using base::Result;
using Time = std::chrono::system_clock::time_point;

// The fields that follow those of the job. contract.h writes those of the job.
constexpr std::string_view kError = "error";
constexpr std::string_view kAttempts = "attempts";
constexpr std::string_view kFirst = "first_time";
constexpr std::string_view kLast = "last_time";
constexpr std::string_view kPool = "pool";
constexpr std::string_view kHost = "host";

constexpr std::size_t kMaxUnique = 64;  // bytes; gearmand cuts a longer one

std::string utc(std::chrono::system_clock::time_point time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto millis = std::chrono::floor<std::chrono::milliseconds>(time - whole);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(whole)),
                     millis.count());
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(",\"").append(name).append("\":");
  text::append_json_string(out, value);
}

// Reads what utc() has written. Nothing: `text` is something else.
std::optional<Time> from_utc(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00.000Z";
  const bool has_form = text.size() == kForm.size() &&
                        std::equal(text.begin(), text.end(), kForm.begin(), [](char given, char expected) {
                          return expected == '0' ? given >= '0' && given <= '9' : given == expected;
                        });
  if (!has_form) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t digits) {
    unsigned value = 0;
    std::from_chars(&text[at], &text[at] + digits, value);
    return value;
  };
  if (number(0, 4) < 1970 || number(0, 4) > 2261) return std::nullopt;  // the range of the clock
  const std::chrono::year_month_day day(std::chrono::year(static_cast<int>(number(0, 4))),
                                        std::chrono::month(number(5, 2)), std::chrono::day(number(8, 2)));
  if (!day.ok() || number(11, 2) > 23 || number(14, 2) > 59 || number(17, 2) > 59) return std::nullopt;
  return std::chrono::sys_days(day) + std::chrono::hours(number(11, 2)) +
         std::chrono::minutes(number(14, 2)) + std::chrono::seconds(number(17, 2)) +
         std::chrono::milliseconds(number(20, 3));
}

std::string random_unique(std::string_view prefix) {
  std::random_device random;
  return fmt::format("{}-{:08x}{:08x}{:08x}{:08x}", prefix, random(), random(), random(), random());
}

// The text of the field; nothing if the object does not have it.
std::optional<std::string_view> text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  const json::string* text = value ? value->if_string() : nullptr;
  return text ? std::optional<std::string_view>({text->data(), text->size()}) : std::nullopt;
}

Result<void> read_job(const json::object& object, ReadLetter& letter) {
  constexpr std::pair<std::string_view, std::string ReadLetter::*> kFields[] = {
      {"function_name", &ReadLetter::function},
      {"job_handle", &ReadLetter::handle},
      {"unique", &ReadLetter::unique},
      {"workload", &ReadLetter::workload}};
  for (const auto& [name, field] : kFields) {
    const auto text = text_of(object, name);
    if (!text) return Error{fmt::format("it has no text \"{}\"", name)};
    letter.*field = *text;
  }
  if (letter.function.empty()) return Error{"its function_name is empty"};
  // A zero byte would end the argument in gearmand's packet.
  if (letter.function.find('\0') != std::string::npos) return Error{"its function_name has a zero byte"};
  if (letter.unique.find('\0') != std::string::npos) return Error{"its unique has a zero byte"};
  if (letter.unique.size() > kMaxUnique)
    return Error{fmt::format("its unique has more than {} bytes", kMaxUnique)};
  if (!object.contains("workload_encoding")) return {};
  if (text_of(object, "workload_encoding") != "base64") return Error{"its workload_encoding is not base64"};
  auto bytes = text::from_base64(letter.workload);
  if (!bytes) return Error{"its workload is not the base64 that it claims to be"};
  letter.workload = std::move(*bytes);
  return {};
}

}  // namespace

std::string encode(const DeadLetter& letter) {
  RequestBody body;
  encode(config::RequestFormat::json, letter.job, body);
  std::string out = std::move(body.before);
  out.append(body.workload).append(body.after);
  out.pop_back();  // remove the closing brace; more fields follow
  append_field(out, kError, letter.error);
  fmt::format_to(std::back_inserter(out), ",\"{}\":{}", kAttempts, letter.attempts);
  append_field(out, kFirst, utc(letter.first));
  append_field(out, kLast, utc(letter.last));
  append_field(out, kPool, letter.pool);
  append_field(out, kHost, letter.host);
  out += '}';
  return out;
}

Result<ReadLetter> read_dead_letter(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  if (error) return Error{"it is not JSON: " + error.message()};
  const json::object* object = value.if_object();
  if (!object) return Error{"it is not a JSON object"};
  ReadLetter letter;
  if (const auto read = read_job(*object, letter); !read) return read.error();
  letter.error = text_of(*object, kError).value_or("");
  letter.pool = text_of(*object, kPool).value_or("");
  letter.host = text_of(*object, kHost).value_or("");
  letter.first = from_utc(text_of(*object, kFirst).value_or(""));
  letter.last = from_utc(text_of(*object, kLast).value_or(""));
  const json::value* attempts = object->if_contains({kAttempts.data(), kAttempts.size()});
  if (attempts && attempts->is_int64()) letter.attempts = attempts->get_int64();
  return letter;
}

std::string new_unique() { return random_unique("dead"); }

std::string new_unique_of_rerun() { return random_unique("again"); }

}  // namespace driveshaft::dispatch
