// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "admin/action.h"
#include "admin/reply.h"
#include "admin/routes.h"
#include "monitor/monitor.h"
#include "net/asio.h"

namespace driveshaft::admin {

// Makes the answers to requests that are allowed. Used on the admin thread. All that is passed by reference
// outlives this object, and this object outlives its coroutines.
class Answers {
 public:
  Answers(asio::io_context& io, monitor::Monitor& monitor, Sources sources);
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;

  // From now on `act` is called for each action.
  void obey(Act act) { act_ = std::move(act); }

  // Makes the answer of a file of the page, a plain page, or the API.
  asio::awaitable<Reply> reply_to(std::string_view method, std::string_view target);

  // Hands an action to the loop's thread, and waits until it is done, but for a limited time. `by`: who asks,
  // for the log.
  asio::awaitable<Reply> act_on(std::string_view method, std::string_view target, std::string_view body,
                                std::string by);

 private:
  asio::io_context& io_;
  monitor::Monitor& monitor_;
  const Sources sources_;
  Act act_;
};

}  // namespace driveshaft::admin
