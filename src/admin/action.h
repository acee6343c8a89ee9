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

#include "admin/reply.h"
#include "base/error.h"
#include "log/log.h"

// The actions that an operator can ask for on the control socket and on the exporter address. Reading a
// request is pure.
namespace driveshaft::admin {

struct PauseAction {
  std::string pool;
  std::string function;                            // empty: all functions of the pool
  std::optional<std::chrono::milliseconds> lasts;  // nothing: until somebody resumes it
  std::string reason;                              // not made printable yet
};
struct ResumeAction {
  std::string pool;
  std::string function;
};
// Cancels the jobs with these handles, or the jobs of `function` that have run for longer than `older_than`.
struct CancelAction {
  std::vector<std::string> handles;
  std::string function;
  std::chrono::milliseconds older_than{0};
  bool requeue = false;
};
// Runs the letters of the pool's dead_letter_function again; if `function` is not empty, only those whose job
// is of that function.
struct RerunLettersAction {
  static constexpr std::size_t kMost = 10'000;
  std::string pool;
  std::string function;  // of the job in the letter; empty: any
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
  // HTTP status. 404: the pool, function or job does not exist. 409: the action is not possible in this
  // state.
  unsigned status = 200;
  std::string text;  // a sentence: what was done, or why nothing was done
};

// Carries out an action. `by` says who asks for it: "uid 0, pid 123" or "token, 10.1.2.3". It is called in
// the admin server's thread, and calls `done` once, in any thread, or never if the daemon ends before.
using Act = std::function<void(Action action, std::string by, std::function<void(ActionResult)> done)>;

// The action's name in the path of its request, such as "pause".
std::string_view name_of(const Action& action);
std::vector<std::string_view> action_names();

// Whether the request target begins with /api/v1/control/.
bool is_control(std::string_view target);

// The action that a request asks for. The error is the answer to a request that cannot be understood.
base::Result<Action, Reply> parse_action(std::string_view method, std::string_view target,
                                         std::string_view body);

Reply to_reply(const ActionResult& result);

}  // namespace driveshaft::admin
