// SPDX-License-Identifier: MIT
#include "daemon/control.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <type_traits>

#include "base/seconds.h"
#include "daemon/jobs_file.h"
#include "text/counted.h"
#include "text/printable.h"

namespace driveshaft::daemon {
namespace {

using admin::ActionResult;
using base::seconds;
using log::kMainLog;
using Clock = base::Deadline::Clock;

constexpr unsigned kNotFound = 404;
constexpr unsigned kConflict = 409;

std::string shown(std::string_view name) { return text::printable(name, 128); }

// "pool P" or "pool P, function f".
std::string place(const std::string& pool, const std::string& function) {
  return function.empty() ? fmt::format("pool {}", shown(pool))
                          : fmt::format("pool {}, function {}", shown(pool), shown(function));
}

std::string lasting(const std::optional<std::chrono::milliseconds>& time) {
  return time ? fmt::format(" for {} s", seconds(*time)) : std::string();
}

const log::Logger& logger_of(std::string_view name) {
  return name == "Main" ? log::kMainLog : log::kThreadLog;
}

}  // namespace

Control::Control(const Parts& parts, Signals signals, std::function<void()> idle)
    : parts_(parts),
      signals_(std::move(signals)),
      idle_(std::move(idle)),
      letters_(parts.loop, parts.deadlines) {
  for (const auto name : admin::action_names()) parts_.metrics.add_control_action(name);
}

void Control::act(const admin::Action& action, const std::string& by, Done done) {
  by_ = by;
  const auto answer = [this, by, name = admin::name_of(action), done = std::move(done)](ActionResult result) {
    parts_.metrics.control_action(name, result.status == 200);
    if (result.status == 200) {
      kMainLog.info("control, {}: {}", by, result.text);
    } else {
      kMainLog.warn("control, {}: not done: {}", by, result.text);
    }
    done(std::move(result));
  };
  std::visit(
      [&](const auto& one) {
        using One = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<One, admin::ReloadAction>) {
          reload(answer);
        } else if constexpr (std::is_same_v<One, admin::RerunLettersAction>) {
          rerun_letters(one, answer);
        } else if constexpr (std::is_same_v<One, admin::DrainAction>) {
          if (parts_.supervisor.draining()) {
            return answer(
                {kConflict, "the daemon drains already, and ends when no job runs; a SIGTERM ends the jobs"});
          }
          answer({200, "no more jobs are taken; the daemon ends when none runs"});
          signals_.drain(by_);
        } else if constexpr (std::is_same_v<One, admin::UpgradeAction>) {
          signals_.upgrade(by_, [answer](bool upgraded, const std::string& text) {
            answer({upgraded ? 200 : kConflict, text});
          });
        } else {
          answer(carry_out(one));
        }
      },
      action);
}

// The names of pools and functions may contain slashes: in "A/B/F" the pool may be "A", "A/B" or "A/B/F".
std::pair<std::string, std::string> Control::named(const std::string& pool,
                                                   const std::string& function) const {
  if (function.empty() || parts_.supervisor.has_pool(pool)) return {pool, function};
  const std::string whole = fmt::format("{}/{}", pool, function);
  if (parts_.supervisor.has_pool(whole)) return {whole, ""};
  for (auto slash = whole.find('/'); slash != whole.npos; slash = whole.find('/', slash + 1)) {
    if (parts_.supervisor.has_pool(whole.substr(0, slash)))
      return {whole.substr(0, slash), whole.substr(slash + 1)};
  }
  return {pool, function};
}

ActionResult Control::carry_out(const admin::PauseAction& action) {
  const auto now = Clock::now();
  const auto [pool, function] = named(action.pool, action.function);
  dispatch::Pause pause{now, {}, text::printable(action.reason, 256)};
  if (action.lasts) pause.until = now + *action.lasts;
  const std::string why = pause.reason.empty() ? "" : fmt::format(" ({})", pause.reason);
  if (const auto paused = parts_.supervisor.pause(pool, function, std::move(pause)); !paused) {
    return {kNotFound, paused.error().message};
  }
  return {200, fmt::format("{} is paused{}{}: no more jobs are taken, running ones finish",
                           place(pool, function), lasting(action.lasts), why)};
}

ActionResult Control::carry_out(const admin::ResumeAction& action) {
  const auto [pool, function] = named(action.pool, action.function);
  if (const auto resumed = parts_.supervisor.resume(pool, function); !resumed) {
    return {kConflict, fmt::format("{}: {}", place(pool, function), resumed.error().message)};
  }
  return {200, fmt::format("{} takes jobs again", place(pool, function))};
}

ActionResult Control::carry_out(const admin::CancelAction& action) {
  const auto now = Clock::now();
  std::set<std::string, std::less<>> unknown(action.handles.begin(), action.handles.end());
  const auto is = [&](const dispatch::Job& job) {
    if (action.handles.empty()) {
      return job.fields().function == action.function && now - job.started_at() >= action.older_than;
    }
    const auto named = std::find(action.handles.begin(), action.handles.end(), job.fields().handle);
    if (named == action.handles.end()) return false;
    unknown.erase(*named);
    return true;
  };
  const int cancelled = parts_.supervisor.cancel_jobs(
      is, fmt::format("it was cancelled by an operator ({})", by_), action.requeue);
  if (cancelled == 0 && unknown.empty()) {
    return {kNotFound, fmt::format("no job of the function {} has run for so long",
                                   text::printable(action.function, 128))};
  }
  std::string text;
  if (cancelled > 0) {
    text = fmt::format(
        "{} job{} {}", cancelled, cancelled == 1 ? " was" : "s were",
        action.requeue ? "given back: gearmand has another worker run what it gets back when the other jobs "
                         "of the same connection have ended"
                       : "cancelled");
  }
  if (unknown.empty()) return {200, text};
  return {kNotFound, fmt::format("{}{}no job runs with the handle {}", text, text.empty() ? "" : "; ",
                                 text::printable(fmt::format("{}", fmt::join(unknown, ", ")), 256))};
}

ActionResult Control::carry_out(const admin::LogLevelAction& action) {
  log::set_level(logger_of(action.logger), action.level);
  if (action.lasts) {
    log_levels_end_[action.logger] = Clock::now() + *action.lasts;
  } else {
    log_levels_end_.erase(action.logger);
  }
  end_log_levels();
  return {200, fmt::format("the logger {} has the level {}{}", action.logger,
                           log::kLevelNames[static_cast<std::size_t>(action.level)], lasting(action.lasts))};
}

// Gives loggers whose time is over the level of the configuration again.
void Control::end_log_levels() {
  const auto now = Clock::now();
  std::erase_if(log_levels_end_, [&](const auto& entry) {
    if (entry.second > now) return false;
    log::set_level(logger_of(entry.first), std::nullopt);
    kMainLog.info("the logger {} has the level of the configuration again", entry.first);
    return true;
  });
  log_levels_.clear();
  const auto first = std::min_element(log_levels_end_.begin(), log_levels_end_.end(),
                                      [](const auto& a, const auto& b) { return a.second < b.second; });
  if (first != log_levels_end_.end()) parts_.deadlines.set(log_levels_, first->second);
}

void Control::rerun_letters(const admin::RerunLettersAction& action, Done done) {
  if (parts_.supervisor.draining()) return done({kConflict, "the daemon is shutting down"});
  const config::Config& config = *parts_.config.in_force;
  const auto pool = std::find_if(config.pools.begin(), config.pools.end(),
                                 [&](const config::PoolConfig& one) { return one.name == action.pool; });
  if (pool == config.pools.end()) {
    return done({kNotFound, fmt::format("there is no pool {} in the jobs file", shown(action.pool))});
  }
  const auto& letters = pool->settings.dead_letter_function;
  if (letters.empty()) {
    return done({kConflict, fmt::format("pool {} has no dead_letter_function", shown(action.pool))});
  }
  letters_.start(config.servers, letters, action.function, action.limit,
                 [this, done = std::move(done)](ActionResult result) {
                   done(std::move(result));
                   if (is_idle()) idle_();
                 });
}

void Control::reload(Done done) {
  if (parts_.supervisor.draining()) return done({kConflict, "the daemon is shutting down"});
  parts_.jobs_file.reload([done = std::move(done)](const Reload& reload) {
    done({reload.errors.empty() ? 200 : kConflict, describe(reload)});
  });
}

}  // namespace driveshaft::daemon
