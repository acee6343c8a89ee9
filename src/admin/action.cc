// SPDX-License-Identifier: MIT
#include "admin/action.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

#include "text/printable.h"

namespace driveshaft::admin {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr std::string_view kPath = "/api/v1/control/";
constexpr double kMostSeconds = 1e9;
constexpr std::size_t kMostReason = 256;  // bytes

// The members of a request's body. A member that no reader asks for is an error.
class Body {
 public:
  explicit Body(json::object members) : members_(std::move(members)) {}

  std::string text(std::string_view key) {
    const json::value* value = take(key);
    if (!value) return {};
    if (value->is_string()) return std::string(value->get_string());
    wrong(key, "a string");
    return {};
  }
  std::string required_text(std::string_view key) {
    std::string value = text(key);
    if (value.empty()) wrong(key, "a string that is not empty");
    return value;
  }
  std::optional<milliseconds> seconds(std::string_view key) {
    const json::value* value = take(key);
    if (!value) return {};
    if (value->is_number()) {
      const double number = value->to_number<double>();
      if (number > 0 && number <= kMostSeconds) return milliseconds(std::llround(number * 1000));
    }
    wrong(key, "a number of seconds above 0");
    return {};
  }
  // A number from 1 to `most`; `most` if the member is missing.
  std::size_t count(std::string_view key, std::size_t most) {
    const json::value* value = take(key);
    if (!value) return most;
    boost::system::error_code error;
    const auto number = value->to_number<std::size_t>(error);
    if (!error && number >= 1 && number <= most) return number;
    wrong(key, fmt::format("a whole number from 1 to {}", most));
    return most;
  }
  bool flag(std::string_view key) {
    const json::value* value = take(key);
    if (value && !value->is_bool()) wrong(key, "true or false");
    return value && value->is_bool() && value->get_bool();
  }
  std::vector<std::string> texts(std::string_view key) {
    const json::value* value = take(key);
    std::vector<std::string> texts;
    if (!value) return texts;
    const bool right = value->is_array() && !value->get_array().empty() &&
                       std::all_of(value->get_array().begin(), value->get_array().end(),
                                   [](const json::value& one) { return one.is_string(); });
    if (!right) wrong(key, "an array of strings that is not empty");
    if (right) {
      for (const auto& one : value->get_array()) texts.emplace_back(one.get_string());
    }
    return texts;
  }
  void wrong(std::string_view key, std::string_view expected) {
    if (error_.empty()) error_ = fmt::format("{}: expected {}", key, expected);
  }
  // The first mistake in the body; empty: there is none. A member that no reader has asked for is a mistake.
  std::string error() {
    if (!error_.empty()) return error_;
    for (const auto& member : members_) {
      if (std::find(taken_.begin(), taken_.end(), member.key()) != taken_.end()) continue;
      return fmt::format("unknown member \"{}\"; expected {}", text::printable(member.key(), 60),
                         taken_.empty() ? "none" : fmt::format("{}", fmt::join(taken_, ", ")));
    }
    return {};
  }

 private:
  const json::value* take(std::string_view key) {
    taken_.push_back(key);
    return members_.if_contains(key);
  }

  json::object members_;
  std::vector<std::string_view> taken_;
  std::string error_;
};

Action read_pause(Body& body) {
  PauseAction pause{body.required_text("pool"), body.text("function"), body.seconds("for"),
                    body.text("reason")};
  if (pause.reason.size() > kMostReason) body.wrong("reason", fmt::format("{} bytes at most", kMostReason));
  return pause;
}

Action read_resume(Body& body) { return ResumeAction{body.required_text("pool"), body.text("function")}; }

Action read_cancel(Body& body) {
  CancelAction cancel{body.texts("handles"), body.text("function"), {}, false};
  const auto older_than = body.seconds("older_than");
  cancel.requeue = body.flag("requeue");
  if (cancel.handles.empty() == cancel.function.empty())
    body.wrong("handles", "these, or a function and older_than");
  if (!cancel.function.empty() && !older_than) body.wrong("older_than", "a number of seconds above 0");
  if (!cancel.handles.empty() && older_than) body.wrong("older_than", "none beside handles");
  cancel.older_than = older_than.value_or(milliseconds(0));
  return cancel;
}

Action read_rerun_letters(Body& body) {
  return RerunLettersAction{body.required_text("pool"), body.text("function"),
                            body.count("limit", RerunLettersAction::kMost)};
}

Action read_reload(Body&) { return ReloadAction{}; }
Action read_drain(Body&) { return DrainAction{}; }
Action read_upgrade(Body&) { return UpgradeAction{}; }

Action read_log_level(Body& body) {
  constexpr std::array<std::string_view, 2> kLoggers{"Main", "Thread"};
  LogLevelAction action{body.required_text("logger"), {}, {}};
  const std::string level = body.required_text("level");
  action.lasts = body.seconds("for");
  if (std::find(kLoggers.begin(), kLoggers.end(), action.logger) == kLoggers.end()) {
    body.wrong("logger", "Main or Thread");
  }
  const auto found = std::find(log::kLevelNames.begin(), log::kLevelNames.end(), level);
  if (found == log::kLevelNames.end()) {
    body.wrong("level", fmt::format("one of {}", fmt::join(log::kLevelNames, ", ")));
  } else {
    action.level = static_cast<log::Level>(found - log::kLevelNames.begin());
  }
  return action;
}

struct ActionRow {
  std::string_view name;
  Action (*read)(Body& body);
};

// In the order of the variant Action.
constexpr ActionRow kActions[] = {{"pause", read_pause},     {"resume", read_resume},
                                  {"cancel", read_cancel},   {"rerun-letters", read_rerun_letters},
                                  {"reload", read_reload},   {"drain", read_drain},
                                  {"upgrade", read_upgrade}, {"log-level", read_log_level}};

}  // namespace

std::string_view name_of(const Action& action) { return kActions[action.index()].name; }

std::vector<std::string_view> action_names() {
  std::vector<std::string_view> names;
  for (const ActionRow& row : kActions) names.push_back(row.name);
  return names;
}

bool is_control(std::string_view target) { return target.starts_with(kPath); }

base::Result<Action, Reply> parse_action(std::string_view method, std::string_view target,
                                         std::string_view text) {
  const auto name = is_control(target) ? target.substr(kPath.size()) : std::string_view();
  const auto row = std::find_if(std::begin(kActions), std::end(kActions),
                                [&](const ActionRow& one) { return one.name == name; });
  if (row == std::end(kActions)) {
    return api_error(404, "there is no such action; docs/openapi.yaml lists them under /control/");
  }
  if (method != "POST") {
    Reply reply = api_error(405, "an action is asked for with POST");
    reply.allow = "POST";
    return reply;
  }
  boost::system::error_code error;
  const auto value = text.empty() ? json::value(json::object()) : json::parse(text, error);
  if (error || !value.is_object()) return api_error(400, "expected an object of JSON");
  Body body(value.get_object());
  Action action = row->read(body);
  if (const std::string wrong = body.error(); !wrong.empty()) return api_error(400, wrong);
  return action;
}

Reply to_reply(const ActionResult& result) {
  if (result.status != 200) return api_error(result.status, result.text);
  return {.content_type = kJson, .body = json::serialize(json::object{{"done", result.text}})};
}

}  // namespace driveshaft::admin
