// SPDX-License-Identifier: MIT
#include "admin/answers.h"

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "admin/api.h"
#include "net/exceptions.h"

namespace driveshaft::admin {
namespace {

using net::kResult;

constexpr std::chrono::seconds kActsWithin{10};
constexpr std::chrono::seconds kUpgradesWithin{40};  // more than Upgrade::kTimeOut of the daemon
constexpr std::chrono::seconds kRerunsWithin{30};    // more than LetterRerun::kLongest of the daemon

std::chrono::seconds answers_within(const Action& action) {
  if (std::holds_alternative<UpgradeAction>(action)) return kUpgradesWithin;
  return std::holds_alternative<RerunLettersAction>(action) ? kRerunsWithin : kActsWithin;
}

// The answer about readiness ends with the outages that the monitor knows.
Sources with_outages(Sources sources, const monitor::Monitor& monitor) {
  sources.ready = [&monitor, ready = std::move(sources.ready)] {
    Health health = ready();
    health.detail += monitor.outages();
    return health;
  };
  return sources;
}

}  // namespace

Answers::Answers(asio::io_context& io, monitor::Monitor& monitor, Sources sources)
    : io_(io), monitor_(monitor), sources_(with_outages(std::move(sources), monitor)) {}

asio::awaitable<Reply> Answers::reply_to(std::string_view method, std::string_view target) {
  const bool api = is_api(target);
  try {
    if (!api) co_return answer(method, target, sources_);
    if (auto refused = refuse_method(method)) co_return std::move(*refused);
    Reply reply;
    const bool known = co_await monitor_.with_view(
        detail_for(target), [&](const monitor::View& view) { reply = answer_api(target, view); });
    if (!known) co_return api_error(503, "the event loop has not answered yet; see /healthz");
    co_return reply;
  } catch (...) {
    net::log_exception(std::current_exception(), "answering on the exporter address");
  }
  if (api) co_return api_error(500, "internal error, see the log");
  co_return Reply{.status = 500, .body = "internal error, see the log\n"};
}

asio::awaitable<Reply> Answers::act_on(std::string_view method, std::string_view target,
                                       std::string_view body, std::string by) {
  auto action = parse_action(method, target, body);
  if (!action) co_return action.error();
  struct Pending {
    Pending(asio::io_context& io, std::chrono::seconds limit) : done(io, limit) {}
    asio::steady_timer done;
    std::optional<ActionResult> result;
  };
  const auto pending = std::make_shared<Pending>(io_, answers_within(*action));
  // This may be called when the admin server has stopped; what it posts is then never run.
  act_(std::move(*action), std::move(by), [&io = io_, weak = std::weak_ptr(pending)](ActionResult result) {
    asio::post(io, [weak, result = std::move(result)] {
      const auto still_waiting = weak.lock();
      if (!still_waiting) return;
      still_waiting->result = result;
      still_waiting->done.cancel();
    });
  });
  co_await pending->done.async_wait(kResult);
  if (pending->result) co_return to_reply(*pending->result);
  co_return api_error(503, "not done yet: the event loop, or a file system, has not answered; see the log");
}

}  // namespace driveshaft::admin
