// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "admin/routes.h"
#include "base/error.h"
#include "log/log.h"

// What an operator may have the daemon do, as the control socket and the exporter address take it. Reading a
// request is pure.
namespace driveshaft::admin {

struct PauseAction {
  std::string pool;
  std::string function;                            // empty: all of the pool's
  std::optional<std::chrono::milliseconds> lasts;  // nothing: until it is resumed
  std::string reason;                              // as it came
};
struct ResumeAction {
  std::string pool;
  std::string function;
};
// Of jobs with these handles, or of those of a function that have run for so long.
struct CancelAction {
  std::vector<std::string> handles;
  std::string function;
  std::chrono::milliseconds older_than{0};
  bool requeue = false;
};
// Of the letters of a pool's dead_letter_function, or of those of jobs of one function.
struct RerunLettersAction {
  static constexpr std::size_t kMost = 10'000;
  std::string pool;
  std::string function;  // of the jobs; empty: any
  std::size_t limit = kMost;
};
struct ReloadAction {};
struct DrainAction {};
struct UpgradeAction {};
struct LogLevelAction {
  std::string logger;
  log::Level level = log::Level::info;
  std::optional<std::chrono::milliseconds> lasts;
};
using Action = std::variant<PauseAction, ResumeAction, CancelAction, RerunLettersAction, ReloadAction,
                            DrainAction, UpgradeAction, LogLevelAction>;

struct ActionResult {
  unsigned status = 200;  // of HTTP: 404 there is no such thing, 409 not in this state
  std::string text;       // a sentence: what was done, or why it was not
};

// Carries an action out. `by` says who asks for it: "uid 0, pid 123" or "token, 10.1.2.3". Called in the
// admin server's thread; `done` is called once, in any thread.
using Act = std::function<void(Action action, std::string by, std::function<void(ActionResult)> done)>;

// As in the path of its request: "pause".
std::string_view name_of(const Action& action);
std::vector<std::string_view> action_names();

// Whether that target is one of /api/v1/control/.
bool is_control(std::string_view target);

// What a request asks for. The error is the answer to a request that cannot be understood.
base::Result<Action, Reply> parse_action(std::string_view method, std::string_view target,
                                         std::string_view body);

Reply to_reply(const ActionResult& result);

}  // namespace driveshaft::admin
