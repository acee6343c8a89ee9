// SPDX-License-Identifier: MIT
#include "dispatch/attempt.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace driveshaft::dispatch {
namespace {

using config::AttemptFailure;
using std::chrono::milliseconds;

enum class Rule {
  deliver,
  fail,
  retry,          // it is retried if `retry` says so; otherwise it fails
  wait_or_retry,  // it is held for as long as the endpoint asks, if its time allows that
  hold_or_retry,  // it is held, unless endpoint_down is "fail"; then as `retry`
  // As hold_or_retry, unless other jobs show that this job is to blame.
  hold_unless_to_blame,
  // As hold_or_retry, unless the job or its endpoint gives empty answers again and again.
  hold_unless_usual,
  send_again,  // at once over a new connection; if that breaks, too, the job is held
  requeue,
  as_on_shutdown_says,
};

constexpr std::optional<AttemptFailure> kNever = std::nullopt;

struct Row {
  AttemptEnd end;
  Rule rule;
  BackendNews news;
  std::optional<AttemptFailure> retried_as;
  FailureKind counts_as;
  AttemptScore score;
};

constexpr std::array kRows = {
    // clang-format off
    Row{AttemptEnd::completed,         Rule::deliver,               BackendNews::answered,      kNever,                              FailureKind::none,         AttemptScore::success},
    Row{AttemptEnd::refused,           Rule::retry,                 BackendNews::answered,      AttemptFailure::failure,             FailureKind::refused,      AttemptScore::success},
    Row{AttemptEnd::too_many_requests, Rule::wait_or_retry,         BackendNews::overloaded,    AttemptFailure::too_many_requests,   FailureKind::error_answer, AttemptScore::none},
    Row{AttemptEnd::absent,            Rule::hold_unless_to_blame,  BackendNews::absent,        AttemptFailure::server_error,        FailureKind::error_answer, AttemptScore::none},
    Row{AttemptEnd::server_error,      Rule::wait_or_retry,         BackendNews::overloaded,    AttemptFailure::server_error,        FailureKind::error_answer, AttemptScore::failure},
    Row{AttemptEnd::other_status,      Rule::retry,                 BackendNews::reached,       AttemptFailure::other_status,        FailureKind::error_answer, AttemptScore::failure},
    Row{AttemptEnd::empty_answer,      Rule::hold_unless_usual,     BackendNews::empty,         AttemptFailure::connection_lost,     FailureKind::invalid_answer, AttemptScore::failure},
    Row{AttemptEnd::invalid_response,  Rule::retry,                 BackendNews::reached,       AttemptFailure::invalid_response,    FailureKind::invalid_answer, AttemptScore::failure},
    Row{AttemptEnd::connection_lost,   Rule::retry,                 BackendNews::broke_off,     AttemptFailure::connection_lost,     FailureKind::no_answer,    AttemptScore::failure},
    Row{AttemptEnd::stale_connection,  Rule::send_again,            BackendNews::none,          kNever,                              FailureKind::no_answer,    AttemptScore::none},
    Row{AttemptEnd::full,              Rule::hold_or_retry,         BackendNews::full,          AttemptFailure::unreachable,         FailureKind::no_answer,    AttemptScore::none},
    Row{AttemptEnd::unreachable,       Rule::hold_or_retry,         BackendNews::unreachable,   AttemptFailure::unreachable,         FailureKind::no_answer,    AttemptScore::none},
    Row{AttemptEnd::attempt_timeout,   Rule::retry,                 BackendNews::no_answer,     AttemptFailure::timeout,             FailureKind::out_of_time,  AttemptScore::failure},
    Row{AttemptEnd::out_of_time,       Rule::fail,                  BackendNews::none,          kNever,                              FailureKind::out_of_time,  AttemptScore::none},
    Row{AttemptEnd::internal_error,    Rule::fail,                  BackendNews::none,          kNever,                              FailureKind::internal_error, AttemptScore::none},
    Row{AttemptEnd::pool_drains,       Rule::requeue,               BackendNews::none,          kNever,                              FailureKind::no_answer,    AttemptScore::none},
    Row{AttemptEnd::shutdown,          Rule::as_on_shutdown_says,   BackendNews::none,          kNever,                              FailureKind::out_of_time,  AttemptScore::none},
    Row{AttemptEnd::cancelled,         Rule::fail,                  BackendNews::none,          kNever,                              FailureKind::cancelled,    AttemptScore::none},
    Row{AttemptEnd::given_back,        Rule::requeue,               BackendNews::none,          kNever,                              FailureKind::cancelled,    AttemptScore::none},
    // clang-format on
};

constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].end != static_cast<AttemptEnd>(i)) return false;
  }
  return true;
}
static_assert(rows_are_in_order());

const Row& row_of(AttemptEnd end) { return kRows[static_cast<std::size_t>(end)]; }

// How long to wait before the next attempt, after `attempts` attempts. The time is drawn evenly from zero to
// a span that doubles from initial_delay to max_delay ("full jitter").
milliseconds retry_delay(const config::Retry& retry, int attempts, double draw) {
  auto span = std::min(retry.initial_delay, retry.max_delay);
  for (int i = 1; i < attempts && span < retry.max_delay; ++i) span = std::min(span * 2, retry.max_delay);
  return milliseconds(std::llround(draw * static_cast<double>(span.count())));
}

AttemptDecision retry_or_fail(const Row& row, const JobHistory& history, const config::Retry& retry,
                              double draw) {
  const AttemptDecision fail{JobAction::fail, row.news};
  if (!row.retried_as || history.data_delivered || !history.result_wanted) return fail;
  if (history.attempts >= retry.attempts) return fail;
  if (std::find(retry.on.begin(), retry.on.end(), *row.retried_as) == retry.on.end()) return fail;
  const auto delay = retry_delay(retry, history.attempts, draw);
  if (delay >= history.time_left) return fail;
  return {JobAction::retry, row.news, delay};
}

// The attempt says nothing of the endpoint that the function has now, if a reload has replaced it.
AttemptDecision hold(BackendNews news, const JobHistory& history, milliseconds delay = {}) {
  if (history.endpoint_replaced) {
    return {history.result_wanted ? JobAction::resubmit : JobAction::drop, BackendNews::none};
  }
  return {history.result_wanted ? JobAction::hold : JobAction::drop, news, delay};
}

// Whether a job survives an outage: it is held, or another backend can have it.
bool survives_outages(const JobHistory& history, const config::PoolSettings& settings) {
  return settings.endpoint_down == config::EndpointDown::hold || history.another_backend_works;
}

// Whether a job is held when a gateway says that it has lost the application.
bool holds_absent(const config::PoolSettings& settings) {
  constexpr int kBadGateway = 502;
  const auto& held = settings.hold_on;
  return settings.endpoint_down == config::EndpointDown::hold &&
         std::find(held.begin(), held.end(), kBadGateway) != held.end();
}

AttemptDecision requeue_or_fail(const Row& row, const JobHistory& history) {
  return {history.server_requeues ? JobAction::requeue : JobAction::fail, row.news};
}

}  // namespace

AttemptDecision decide(AttemptEnd end, const JobHistory& history, const config::PoolSettings& settings,
                       double draw, std::optional<milliseconds> asked) {
  const Row& row = row_of(end);
  switch (row.rule) {
    case Rule::deliver:
      return {JobAction::deliver, row.news};
    case Rule::fail:
      return {JobAction::fail, row.news};
    case Rule::retry:
      return retry_or_fail(row, history, settings.retry, draw);
    case Rule::wait_or_retry:
      // If another backend works, the job need not wait itself.
      if (asked && (*asked < history.time_left || history.another_backend_works)) {
        return hold(BackendNews::asked_to_wait, history, *asked);
      }
      return retry_or_fail(row, history, settings.retry, draw);
    case Rule::hold_unless_to_blame:
      if (asked && *asked < history.time_left) return hold(BackendNews::asked_to_wait, history, *asked);
      if (survives_outages(history, settings) && !history.data_delivered &&
          history.absences <= kForgivenAbsences) {
        return hold(row.news, history);
      }
      return retry_or_fail(row, history, settings.retry, draw);
    case Rule::hold_unless_usual:
      if (holds_absent(settings) && !history.data_delivered && history.endpoint_has_answered &&
          !history.empty_answers_are_usual && history.empty_answers <= kForgivenEmptyAnswers) {
        return hold(row.news, history);
      }
      return retry_or_fail(row, history, settings.retry, draw);
    case Rule::hold_or_retry:
      if (survives_outages(history, settings)) return hold(row.news, history);
      return retry_or_fail(row, history, settings.retry, draw);
    case Rule::send_again:
      if (history.stale_connections > 1) return hold(BackendNews::broke_off, history);
      return {history.result_wanted ? JobAction::send_again : JobAction::drop, row.news};
    case Rule::requeue:
      return requeue_or_fail(row, history);
    case Rule::as_on_shutdown_says:
      if (settings.on_shutdown == config::OnShutdown::requeue) return requeue_or_fail(row, history);
      return {JobAction::fail, row.news};
  }
  return {JobAction::fail, row.news};
}

AttemptEnd end_after(const JobHistory& history, const config::PoolSettings& settings, AttemptEnd end) {
  if (end != AttemptEnd::stale_connection || history.stale_connections <= 1) return end;
  const bool is_held =
      history.stale_connections <= kForgivenStaleConnections && survives_outages(history, settings);
  return is_held ? end : AttemptEnd::connection_lost;
}

std::string_view name_of(FailureKind kind) {
  switch (kind) {
    case FailureKind::none:
      break;
    case FailureKind::refused:
      return "refused";
    case FailureKind::error_answer:
      return "error answer";
    case FailureKind::invalid_answer:
      return "invalid answer";
    case FailureKind::no_answer:
    case FailureKind::out_of_time:
      return "no answer";
    case FailureKind::internal_error:
      return "internal error";
    case FailureKind::cancelled:
      return "cancelled";
  }
  return "none";
}

FailureKind failure_kind(AttemptEnd end) { return row_of(end).counts_as; }

std::optional<AttemptFailure> retried_as(AttemptEnd end) { return row_of(end).retried_as; }

AttemptScore score(AttemptEnd end) { return row_of(end).score; }

AttemptEnd end_of_status(unsigned status, const config::PoolSettings& settings) {
  if (status == 429) return AttemptEnd::too_many_requests;
  const auto& held = settings.hold_on;
  if (std::find(held.begin(), held.end(), status) != held.end()) return AttemptEnd::absent;
  return status / 100 == 5 ? AttemptEnd::server_error : AttemptEnd::other_status;
}

}  // namespace driveshaft::dispatch
