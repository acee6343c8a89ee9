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

// What has come of running letters of a function again.
struct Rerun {
  std::string function{};           // the dead letter function
  std::uint64_t done = 0;           // their jobs were submitted again
  std::uint64_t waited = 0;         // at the servers that were asked, at the beginning
  std::uint64_t elsewhere = 0;      // with other connections
  std::string stays{};              // why the first one stays of those that have to
  std::vector<std::string> lost{};  // servers that could not be asked to the end, with the reason
  bool saw_all = true;              // no server is left that was not asked to the end
  std::string ended{};              // why it ended early; empty: it did not
};

// Pure.
admin::ActionResult to_result(const Rerun& rerun);

// Runs letters again as `driveshaft letters rerun` does, in a thread of its own, which neither the loop nor
// the admin thread waits for. One run at a time, each of which is bounded. On the loop's thread.
class LetterRerun {
 public:
  static constexpr std::chrono::seconds kLongest{20};
  static constexpr std::chrono::seconds kPatience{5};  // with a server that is silent

  using Done = std::function<void(admin::ActionResult)>;

  LetterRerun(asio::io_context& loop, base::DeadlineWheel& deadlines) : calls_(loop), deadlines_(deadlines) {}
  // A run that is under way ends soon.
  ~LetterRerun() {
    if (stop_) stop_->request_stop();
  }
  LetterRerun(const LetterRerun&) = delete;
  LetterRerun& operator=(const LetterRerun&) = delete;

  bool is_running() const { return running_; }
  // Calls `done` once: perhaps from within, and else when the run has ended, which is not running any more
  // then.
  void start(std::vector<config::ServerConfig> servers, const std::string& dead_letter_function,
             const std::string& function, std::size_t limit, const Done& done);
  // Ends the run within letters::kFinishesWithin, if there is one.
  void stop(const std::string& why);

 private:
  void take_too_long();

  net::BlockingCalls calls_;
  base::DeadlineWheel& deadlines_;
  bool running_ = false;
  std::optional<std::stop_source> stop_;  // of the last run
  std::string stopped_;                   // why
  base::MemberDeadline<LetterRerun> too_long_{*this, &LetterRerun::take_too_long};
};

}  // namespace driveshaft::daemon
