// SPDX-License-Identifier: MIT
#include "daemon/handover.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <iterator>
#include <utility>

#include "text/printable.h"

namespace driveshaft::daemon {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

// In the order of Message::Kind.
constexpr std::array<std::string_view, 8> kNames{"not_executed", "ready",        "failed", "serving",
                                                 "go",           "main_process", "drain",  "reopen_logs"};

milliseconds between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration_cast<milliseconds>(to - from);
}

json::object to_json(const std::string& pool, const std::string& function, const dispatch::Pause& pause,
                     SteadyTime now) {
  json::object object{{"pool", pool}, {"age", between(pause.since, now).count()}, {"reason", pause.reason}};
  if (!function.empty()) object["function"] = function;
  if (pause.until) object["left"] = between(now, *pause.until).count();
  return object;
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<long> number_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (!value || !value->is_int64()) return {};
  return static_cast<long>(value->get_int64());
}

void add_pause(dispatch::Supervisor::AllPauses& pauses, const json::object& object, SteadyTime now) {
  dispatch::Pause pause{
      now - milliseconds(number_of(object, "age").value_or(0)), {}, text_of(object, "reason")};
  if (const auto left = number_of(object, "left")) pause.until = now + milliseconds(*left);
  dispatch::Pauses& of_pool = pauses[text_of(object, "pool")];
  const std::string function = text_of(object, "function");
  if (function.empty()) {
    of_pool.pool = std::move(pause);
  } else {
    of_pool.functions[function] = std::move(pause);
  }
}

struct Field {
  std::string_view name;
  // clang-format off: its versions put the space in different places
  int Inheritance::*member;
  // clang-format on
};

constexpr Field kFields[] = {{"channel", &Inheritance::channel},
                             {"stderr", &Inheritance::stderr_before},
                             {"exporter", &Inheritance::exporter},
                             {"control", &Inheritance::control},
                             {"pid_file", &Inheritance::pid_file}};

}  // namespace

std::string to_line(const Message& message, SteadyTime now) {
  json::object object{{"say", kNames[static_cast<std::size_t>(message.kind)]}};
  if (!message.text.empty()) object["text"] = message.text;
  if (message.number != 0) object["number"] = message.number;
  if (message.window.count() != 0) object["window"] = message.window.count();
  json::array pauses;
  for (const auto& [pool, of_pool] : message.pauses) {
    if (of_pool.pool) pauses.push_back(to_json(pool, "", *of_pool.pool, now));
    for (const auto& [function, pause] : of_pool.functions)
      pauses.push_back(to_json(pool, function, pause, now));
  }
  if (!pauses.empty()) object["pauses"] = std::move(pauses);
  return json::serialize(object) + "\n";
}

std::optional<Message> parse_line(std::string_view line, SteadyTime now) {
  boost::system::error_code error;
  const json::value value = json::parse(line, error);
  if (error || !value.is_object()) return {};
  const json::object& object = value.get_object();
  const auto name = std::find(kNames.begin(), kNames.end(), text_of(object, "say"));
  if (name == kNames.end()) return {};
  Message message{static_cast<Message::Kind>(name - kNames.begin())};
  message.text = text_of(object, "text");
  message.number = number_of(object, "number").value_or(0);
  message.window = milliseconds(number_of(object, "window").value_or(0));
  if (const json::value* pauses = object.if_contains("pauses"); pauses && pauses->is_array()) {
    for (const auto& pause : pauses->get_array()) {
      if (pause.is_object()) add_pause(message.pauses, pause.get_object(), now);
    }
  }
  return message;
}

std::string to_text(const Inheritance& inheritance) {
  std::string text;
  for (const auto& [name, member] : kFields) {
    if (inheritance.*member < 0) continue;
    fmt::format_to(std::back_inserter(text), "{}{}={}", text.empty() ? "" : ",", name, inheritance.*member);
  }
  return text;
}

base::Result<Inheritance> parse_inheritance(std::string_view text) {
  const base::Error error{
      fmt::format("{}=\"{}\" is in the environment and was not set by an upgrade; remove it from there",
                  kInheritanceVariable, text::printable(text, 100))};
  Inheritance inheritance;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const auto equals = std::min(part.find('='), part.size());
    const auto field = std::find_if(std::begin(kFields), std::end(kFields),
                                    [&](const Field& one) { return one.name == part.substr(0, equals); });
    if (field == std::end(kFields) || equals == part.size()) return error;
    int number = -1;
    const auto [end, wrong] = std::from_chars(part.data() + equals + 1, part.data() + part.size(), number);
    if (wrong != std::errc() || end != part.data() + part.size() || number < 3) return error;
    inheritance.*(field->member) = number;
  }
  if (inheritance.channel < 0 || inheritance.stderr_before < 0) return error;
  return inheritance;
}

}  // namespace driveshaft::daemon
