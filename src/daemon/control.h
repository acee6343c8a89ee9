// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "admin/action.h"
#include "base/deadlines.h"
#include "dispatch/supervisor.h"
#include "log/log.h"

namespace driveshaft::daemon {

class JobsFile;

// Carries out what operators ask for on the control socket and the exporter address, with a line in the log
// for each, which names who asked. On the loop's thread.
class Control {
 public:
  using Done = std::function<void(admin::ActionResult)>;
  // What signals do, too.
  struct Signals {
    std::function<void(const std::string& by)> drain;
    std::function<void(const std::string& by, std::function<void(bool done, const std::string& text)>)>
        upgrade;
  };

  Control(base::DeadlineWheel& deadlines, dispatch::Supervisor& supervisor, JobsFile& jobs_file,
          metrics::Registry& metrics, Signals signals);

  // Calls `done` once, perhaps from within; not if the daemon ends before.
  void act(const admin::Action& action, const std::string& by, Done done);

 private:
  admin::ActionResult carry_out(const admin::PauseAction& action);
  admin::ActionResult carry_out(const admin::ResumeAction& action);
  admin::ActionResult carry_out(const admin::CancelAction& action);
  admin::ActionResult carry_out(const admin::LogLevelAction& action);
  std::pair<std::string, std::string> named(const std::string& pool, const std::string& function) const;
  void reload(Done done);
  void end_log_levels();

  base::DeadlineWheel& deadlines_;
  dispatch::Supervisor& supervisor_;
  JobsFile& jobs_file_;
  metrics::Registry& metrics_;
  const Signals signals_;
  std::string by_;  // who asked for the action that is carried out
  std::map<std::string, base::Deadline::Clock::time_point> log_levels_end_;  // by logger
  base::MemberDeadline<Control> log_levels_{*this, &Control::end_log_levels};
};

}  // namespace driveshaft::daemon
