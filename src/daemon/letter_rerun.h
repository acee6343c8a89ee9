// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "admin/action.h"
#include "base/deadlines.h"
#include "letters/run.h"
#include "net/blocking_calls.h"

namespace driveshaft::daemon {

// The outcome of a run: letters of a function were run again.
struct Rerun {
  std::string function{};       // the dead letter function
  std::uint64_t done = 0;       // letters whose jobs were submitted again
  std::uint64_t waited = 0;     // letters that waited at the asked servers at the beginning
  std::uint64_t elsewhere = 0;  // letters that other workers have
  std::string stays{};          // why the first letter that cannot be run again stays; empty: there is none
  std::vector<std::string> lost{};  // servers that could not be asked to the end, each with the reason
  bool saw_all = true;              // every server was asked to the end
  std::string ended{};              // why the run ended early; empty: it did not
};

// The answer to whoever asked for the run. Pure.
admin::ActionResult to_result(const Rerun& rerun);

// Runs letters again as `driveshaft letters rerun` does, in a thread of its own, so neither the loop nor the
// admin thread waits. There is one run at a time, and its time is limited. Used on the loop's thread.
class LetterRerun {
 public:
  static constexpr std::chrono::seconds kLongest{20};
  static constexpr std::chrono::seconds kTimeout{5};  // how long a silent server is waited for

  using Done = std::function<void(admin::ActionResult)>;

  LetterRerun(asio::io_context& loop, base::DeadlineWheel& deadlines) : calls_(loop), deadlines_(deadlines) {}
  // Tells a run that is under way to end soon; does not wait for it.
  ~LetterRerun() {
    if (stop_) stop_->request_stop();
  }
  LetterRerun(const LetterRerun&) = delete;
  LetterRerun& operator=(const LetterRerun&) = delete;

  bool is_running() const { return running_; }
  // Starts a run. Calls `done` once: before it returns if the run cannot start, otherwise when the run has
  // ended and is_running() is false.
  void start(std::vector<config::ServerConfig> servers, const std::string& dead_letter_function,
             const std::string& function, std::size_t limit, const Done& done);
  // Ends a run that is under way within letters::kFinishesWithin. `why` is told to whoever asked for it.
  void stop(const std::string& why);

 private:
  void take_too_long();

  net::BlockingCalls calls_;
  base::DeadlineWheel& deadlines_;
  bool running_ = false;
  std::optional<std::stop_source> stop_;  // the last run's
  std::string stopped_;                   // why the run was stopped
  base::MemberDeadline<LetterRerun> too_long_{*this, &LetterRerun::take_too_long};
};

}  // namespace driveshaft::daemon
