// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "admin/action.h"
#include "base/deadlines.h"
#include "daemon/letter_rerun.h"
#include "dispatch/supervisor.h"
#include "log/log.h"
#include "monitor/snapshot.h"

namespace driveshaft::daemon {

class JobsFile;

// Carries out the actions that operators request on the control socket and the exporter address. A line in
// the log names each action and who requested it. Used in the loop's thread.
class Control {
 public:
  using Done = std::function<void(admin::ActionResult)>;
  // The actions that can also be requested by a signal.
  struct Signals {
    std::function<void(const std::string& by)> drain;
    std::function<void(const std::string& by, std::function<void(bool done, const std::string& text)>)>
        upgrade;
  };
  struct Parts {
    asio::io_context& loop;
    base::DeadlineWheel& deadlines;
    dispatch::Supervisor& supervisor;
    JobsFile& jobs_file;
    const monitor::ConfigState& config;
    metrics::Registry& metrics;
  };

  // All of the parts outlive this object. `idle` is called when is_idle() has become true.
  Control(const Parts& parts, Signals signals, std::function<void()> idle);

  // Calls `done` once, perhaps before this returns. If the daemon ends first, `done` is not called.
  void act(const admin::Action& action, const std::string& by, Done done);

  // False while another thread carries out an action. The process waits for the end of that action.
  bool is_idle() const { return !letters_.is_running(); }
  // Requests that such an action ends soon. `why` is part of the answer to the operator.
  void stop(const std::string& why) { letters_.stop(why); }

 private:
  admin::ActionResult carry_out(const admin::PauseAction& action);
  admin::ActionResult carry_out(const admin::ResumeAction& action);
  admin::ActionResult carry_out(const admin::CancelAction& action);
  admin::ActionResult carry_out(const admin::LogLevelAction& action);
  std::pair<std::string, std::string> named(const std::string& pool, const std::string& function) const;
  void rerun_letters(const admin::RerunLettersAction& action, Done done);
  void reload(Done done);
  void end_log_levels();

  const Parts parts_;
  const Signals signals_;
  const std::function<void()> idle_;
  LetterRerun letters_;
  std::string by_;                                                           // who requested the last action
  std::map<std::string, base::Deadline::Clock::time_point> log_levels_end_;  // by logger
  base::MemberDeadline<Control> log_levels_{*this, &Control::end_log_levels};
};

}  // namespace driveshaft::daemon
