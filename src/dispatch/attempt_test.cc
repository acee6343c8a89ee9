// SPDX-License-Identifier: MIT
#include "dispatch/attempt.h"

#include <gtest/gtest.h>

#include <ostream>
#include <vector>

namespace driveshaft::dispatch {

bool operator==(const AttemptDecision& one, const AttemptDecision& other) {
  return one.action == other.action && one.news == other.news && one.delay == other.delay;
}

std::ostream& operator<<(std::ostream& out, const AttemptDecision& decision) {
  return out << "action " << static_cast<int>(decision.action) << ", news " << static_cast<int>(decision.news)
             << ", delay " << decision.delay.count() << " ms";
}

namespace {

using namespace std::chrono_literals;
using config::AttemptFailure;
using enum JobAction;
using enum BackendNews;

constexpr AttemptEnd kAll[] = {
    AttemptEnd::completed,
    AttemptEnd::refused,
    AttemptEnd::too_many_requests,
    AttemptEnd::absent,
    AttemptEnd::server_error,
    AttemptEnd::other_status,
    AttemptEnd::empty_answer,
    AttemptEnd::invalid_response,
    AttemptEnd::connection_lost,
    AttemptEnd::stale_connection,
    AttemptEnd::full,
    AttemptEnd::unreachable,
    AttemptEnd::attempt_timeout,
    AttemptEnd::out_of_time,
    AttemptEnd::internal_error,
    AttemptEnd::pool_drains,
    AttemptEnd::shutdown,
    AttemptEnd::cancelled,
    AttemptEnd::given_back,
};

JobHistory first_attempt() {
  JobHistory history;
  history.time_left = 60s;
  return history;
}

// Each failure is retried after half of 100 ms.
config::PoolSettings retrying(int attempts = 3) {
  config::PoolSettings settings;
  settings.retry.attempts = attempts;
  settings.retry.initial_delay = 100ms;
  settings.retry.max_delay = 500ms;
  settings.retry.on = {AttemptFailure::timeout,           AttemptFailure::server_error,
                       AttemptFailure::too_many_requests, AttemptFailure::connection_lost,
                       AttemptFailure::invalid_response,  AttemptFailure::failure,
                       AttemptFailure::unreachable};
  return settings;
}

AttemptDecision decided(AttemptEnd end, const config::PoolSettings& settings = {},
                        const JobHistory& history = first_attempt()) {
  return decide(end, history, settings, 0.5);
}

// The whole table: what happens with the default settings, and what happens with `retry` for each failure.
TEST(Attempt, EveryEndHasItsRow) {
  struct Row {
    AttemptEnd end;
    AttemptDecision by_default;
    AttemptDecision with_retry;
    FailureKind counts_as;
    AttemptScore score;
  };
  const std::vector<Row> rows = {
      {AttemptEnd::completed,
       {deliver, answered},
       {deliver, answered},
       FailureKind::none,
       AttemptScore::success},
      {AttemptEnd::refused,
       {fail, answered},
       {retry, answered, 50ms},
       FailureKind::refused,
       AttemptScore::success},
      {AttemptEnd::too_many_requests,
       {fail, overloaded},
       {retry, overloaded, 50ms},
       FailureKind::error_answer,
       AttemptScore::none},
      {AttemptEnd::absent, {hold, absent}, {hold, absent}, FailureKind::error_answer, AttemptScore::none},
      {AttemptEnd::server_error,
       {fail, overloaded},
       {retry, overloaded, 50ms},
       FailureKind::error_answer,
       AttemptScore::failure},
      {AttemptEnd::other_status,
       {fail, reached},
       {fail, reached},
       FailureKind::error_answer,
       AttemptScore::failure},
      {AttemptEnd::empty_answer,
       {fail, empty},
       {retry, empty, 50ms},
       FailureKind::invalid_answer,
       AttemptScore::failure},
      {AttemptEnd::invalid_response,
       {fail, reached},
       {retry, reached, 50ms},
       FailureKind::invalid_answer,
       AttemptScore::failure},
      {AttemptEnd::connection_lost,
       {fail, broke_off},
       {retry, broke_off, 50ms},
       FailureKind::no_answer,
       AttemptScore::failure},
      {AttemptEnd::stale_connection,
       {send_again, none},
       {send_again, none},
       FailureKind::no_answer,
       AttemptScore::none},
      {AttemptEnd::full, {hold, full}, {hold, full}, FailureKind::no_answer, AttemptScore::none},
      {AttemptEnd::unreachable,
       {hold, unreachable},
       {hold, unreachable},
       FailureKind::no_answer,
       AttemptScore::none},
      {AttemptEnd::attempt_timeout,
       {fail, no_answer},
       {retry, no_answer, 50ms},
       FailureKind::out_of_time,
       AttemptScore::failure},
      {AttemptEnd::out_of_time, {fail, none}, {fail, none}, FailureKind::out_of_time, AttemptScore::none},
      {AttemptEnd::internal_error,
       {fail, none},
       {fail, none},
       FailureKind::internal_error,
       AttemptScore::none},
      {AttemptEnd::pool_drains, {requeue, none}, {requeue, none}, FailureKind::no_answer, AttemptScore::none},
      {AttemptEnd::shutdown, {fail, none}, {fail, none}, FailureKind::out_of_time, AttemptScore::none},
      {AttemptEnd::cancelled, {fail, none}, {fail, none}, FailureKind::cancelled, AttemptScore::none},
      {AttemptEnd::given_back, {requeue, none}, {requeue, none}, FailureKind::cancelled, AttemptScore::none},
  };
  ASSERT_EQ(rows.size(), std::size(kAll));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(rows[i].end, kAll[i]);
    EXPECT_EQ(decided(rows[i].end), rows[i].by_default);
    EXPECT_EQ(decided(rows[i].end, retrying()), rows[i].with_retry);
    EXPECT_EQ(failure_kind(rows[i].end), rows[i].counts_as);
    EXPECT_EQ(score(rows[i].end), rows[i].score);
  }
}

TEST(Attempt, RetryEndsWithTheLastAttempt) {
  JobHistory history = first_attempt();
  history.attempts = 2;
  EXPECT_EQ(decided(AttemptEnd::server_error, retrying(3), history).action, retry);
  history.attempts = 3;
  EXPECT_EQ(decided(AttemptEnd::server_error, retrying(3), history).action, fail);
}

TEST(Attempt, RetryIsForTheListedFailuresAlone) {
  auto settings = retrying();
  settings.retry.on = {AttemptFailure::failure};
  for (const auto end : kAll) {
    EXPECT_EQ(decided(end, settings).action == retry, end == AttemptEnd::refused) << static_cast<int>(end);
  }
}

TEST(Attempt, TheSpanOfADelayDoublesUpToTheLongest) {
  const auto longest = [](int attempts) {
    JobHistory history = first_attempt();
    history.attempts = attempts;
    return decide(AttemptEnd::attempt_timeout, history, retrying(100), 1).delay;
  };
  EXPECT_EQ(longest(1), 100ms);
  EXPECT_EQ(longest(2), 200ms);
  EXPECT_EQ(longest(3), 400ms);
  EXPECT_EQ(longest(4), 500ms);
  EXPECT_EQ(longest(99), 500ms);
  EXPECT_EQ(decide(AttemptEnd::attempt_timeout, first_attempt(), retrying(), 0).delay, 0ms);
}

TEST(Attempt, ARetryThatWouldComeTooLateIsAFailure) {
  JobHistory history = first_attempt();
  history.time_left = 51ms;
  EXPECT_EQ(decided(AttemptEnd::server_error, retrying(), history).action, retry);
  history.time_left = 50ms;
  EXPECT_EQ(decided(AttemptEnd::server_error, retrying(), history).action, fail);
}

TEST(Attempt, AJobWhoseClientHasDataIsNotTriedAgain) {
  JobHistory history = first_attempt();
  history.data_delivered = true;
  for (const auto end : {AttemptEnd::refused, AttemptEnd::connection_lost, AttemptEnd::attempt_timeout}) {
    EXPECT_EQ(decided(end, retrying(), history).action, fail);
  }
}

TEST(Attempt, AJobThatNobodyWaitsForIsNotSentAgain) {
  JobHistory history = first_attempt();
  history.result_wanted = false;
  EXPECT_EQ(decided(AttemptEnd::completed, {}, history).action, deliver);
  EXPECT_EQ(decided(AttemptEnd::server_error, retrying(), history).action, fail);
  EXPECT_EQ(decided(AttemptEnd::stale_connection, {}, history).action, drop);
  EXPECT_EQ(decided(AttemptEnd::unreachable, {}, history), (AttemptDecision{drop, unreachable}));
  EXPECT_EQ(decide(AttemptEnd::too_many_requests, history, {}, 0.5, 1s),
            (AttemptDecision{drop, asked_to_wait, 1s}));
}

TEST(Attempt, AJobWhoseConnectionsBreakAtOnceIsSentAgainThreeTimes) {
  constexpr auto kStale = AttemptEnd::stale_connection;
  JobHistory history = first_attempt();
  const auto ends_by = [&](const config::PoolSettings& settings) {
    return end_after(history, settings, kStale);
  };
  config::PoolSettings failing;
  failing.endpoint_down = config::EndpointDown::fail;
  history.stale_connections = 1;
  EXPECT_EQ(ends_by({}), kStale);
  EXPECT_EQ(ends_by(failing), kStale);
  EXPECT_EQ(decided(kStale, {}, history), (AttemptDecision{send_again, none}));
  for (const int count : {2, 3}) {
    history.stale_connections = count;
    EXPECT_EQ(ends_by({}), kStale);
    EXPECT_EQ(decided(kStale, {}, history), (AttemptDecision{hold, broke_off}));
  }
  EXPECT_EQ(ends_by(failing), AttemptEnd::connection_lost);
  history.another_backend_works = true;
  EXPECT_EQ(ends_by(failing), kStale);
  history.result_wanted = false;
  EXPECT_EQ(decided(kStale, {}, history), (AttemptDecision{drop, broke_off}));
  history.stale_connections = 4;
  EXPECT_EQ(ends_by({}), AttemptEnd::connection_lost);
  EXPECT_EQ(end_after(history, {}, AttemptEnd::server_error), AttemptEnd::server_error);
}

TEST(Attempt, AJobWhoseEndpointAsksToWaitIsHeldWhateverRetrySays) {
  for (const auto end : {AttemptEnd::too_many_requests, AttemptEnd::server_error}) {
    EXPECT_EQ(decide(end, first_attempt(), {}, 0.5, 2s), (AttemptDecision{hold, asked_to_wait, 2s}));
    EXPECT_EQ(decide(end, first_attempt(), retrying(1), 0.5, 0s), (AttemptDecision{hold, asked_to_wait, 0s}));
  }
}

TEST(Attempt, RetryDecidesWhenTheEndpointAsksToWaitTooLong) {
  EXPECT_EQ(decide(AttemptEnd::server_error, first_attempt(), {}, 0.5, 60s),
            (AttemptDecision{fail, overloaded}));
  EXPECT_EQ(decide(AttemptEnd::too_many_requests, first_attempt(), retrying(), 0.5, 60s),
            (AttemptDecision{retry, overloaded, 50ms}));
}

TEST(Attempt, AnotherBackendCanHaveTheJobHoweverLongOneAsksToWait) {
  JobHistory history = first_attempt();
  history.another_backend_works = true;
  for (const auto end : {AttemptEnd::too_many_requests, AttemptEnd::server_error}) {
    EXPECT_EQ(decide(end, history, {}, 0.5, 3600s), (AttemptDecision{hold, asked_to_wait, 3600s}));
  }
}

TEST(Attempt, UnreachableIsAFailureWhereTheSettingsSaySo) {
  auto settings = retrying();
  settings.endpoint_down = config::EndpointDown::fail;
  EXPECT_EQ(decided(AttemptEnd::unreachable, settings), (AttemptDecision{retry, unreachable, 50ms}));
  settings.retry.on.clear();
  EXPECT_EQ(decided(AttemptEnd::unreachable, settings), (AttemptDecision{fail, unreachable}));
}

TEST(Attempt, AReplacedEndpointSaysNothingOfTheNewOne) {
  JobHistory history = first_attempt();
  history.endpoint_replaced = true;
  EXPECT_EQ(decided(AttemptEnd::unreachable, {}, history), (AttemptDecision{resubmit, none}));
  EXPECT_EQ(decide(AttemptEnd::server_error, history, {}, 0.5, 1s), (AttemptDecision{resubmit, none}));
  history.result_wanted = false;
  EXPECT_EQ(decided(AttemptEnd::unreachable, {}, history), (AttemptDecision{drop, none}));
}

TEST(Attempt, AShutdownRequeuesWhereTheSettingsSaySo) {
  config::PoolSettings settings;
  settings.on_shutdown = config::OnShutdown::requeue;
  EXPECT_EQ(decided(AttemptEnd::shutdown, settings), (AttemptDecision{requeue, none}));
  EXPECT_EQ(decided(AttemptEnd::out_of_time, settings).action, fail);
}

TEST(Attempt, AServerThatRequeuesNothingIsToldOfAFailure) {
  config::PoolSettings settings;
  settings.on_shutdown = config::OnShutdown::requeue;
  JobHistory history = first_attempt();
  history.server_requeues = false;
  EXPECT_EQ(decided(AttemptEnd::shutdown, settings, history).action, fail);
  EXPECT_EQ(decided(AttemptEnd::pool_drains, settings, history).action, fail);
}

TEST(Attempt, AJobIsToBlameWhenOthersHaveSucceededThreeTimes) {
  JobHistory history = first_attempt();
  for (history.absences = 0; history.absences < 3; ++history.absences) {
    EXPECT_EQ(decided(AttemptEnd::absent, retrying(1), history), (AttemptDecision{hold, absent}));
  }
  EXPECT_EQ(decided(AttemptEnd::absent, retrying(1), history), (AttemptDecision{fail, absent}));
  EXPECT_EQ(decided(AttemptEnd::absent, retrying(2), history), (AttemptDecision{retry, absent, 50ms}));
}

TEST(Attempt, AnAbsentApplicationIsAFailureWhereNothingIsHeld) {
  auto settings = retrying();
  settings.endpoint_down = config::EndpointDown::fail;
  EXPECT_EQ(decided(AttemptEnd::absent, settings).action, retry);
  JobHistory history = first_attempt();
  history.data_delivered = true;
  EXPECT_EQ(decided(AttemptEnd::absent, {}, history).action, fail);
}

TEST(Attempt, AnAbsentApplicationMayAskToWait) {
  EXPECT_EQ(decide(AttemptEnd::absent, first_attempt(), {}, 0.5, 2s),
            (AttemptDecision{hold, asked_to_wait, 2s}));
}

TEST(Attempt, AJobIsHeldForAnAbsentApplicationThatAsksToWaitTooLong) {
  for (const auto asked : {60s, 61s}) {
    EXPECT_EQ(decide(AttemptEnd::absent, first_attempt(), {}, 0.5, asked), (AttemptDecision{hold, absent}));
  }
}

TEST(Attempt, OneEmptyAnswerIsForgivenWhereTheEndpointHasAnsweredBefore) {
  JobHistory history = first_attempt();
  history.endpoint_has_answered = true;
  history.empty_answers = 1;
  EXPECT_EQ(decided(AttemptEnd::empty_answer, {}, history), (AttemptDecision{hold, empty}));
  history.empty_answers_are_usual = true;
  EXPECT_NE(decided(AttemptEnd::empty_answer, {}, history).action, hold);
  history.empty_answers_are_usual = false;
  history.empty_answers = 2;
  EXPECT_EQ(decided(AttemptEnd::empty_answer, {}, history), (AttemptDecision{fail, empty}));
  EXPECT_EQ(decided(AttemptEnd::empty_answer, retrying(), history), (AttemptDecision{retry, empty, 50ms}));
}

TEST(Attempt, AnEmptyAnswerIsAFailureWhereNothingIsHeld) {
  JobHistory history = first_attempt();
  history.endpoint_has_answered = true;
  history.empty_answers = 1;
  auto settings = retrying(1);
  settings.hold_on = {503};
  EXPECT_EQ(decided(AttemptEnd::empty_answer, settings, history).action, fail);
  settings = retrying(1);
  settings.endpoint_down = config::EndpointDown::fail;
  EXPECT_EQ(decided(AttemptEnd::empty_answer, settings, history).action, fail);
  history.data_delivered = true;
  EXPECT_EQ(decided(AttemptEnd::empty_answer, {}, history).action, fail);
}

TEST(Attempt, AFullEndpointIsAFailureWhereNothingIsHeld) {
  auto settings = retrying();
  settings.endpoint_down = config::EndpointDown::fail;
  EXPECT_EQ(decided(AttemptEnd::full, settings), (AttemptDecision{retry, full, 50ms}));
}

TEST(Attempt, EachStatusHasItsEnd) {
  config::PoolSettings settings;
  const auto end_of_status = [&](unsigned status) { return dispatch::end_of_status(status, settings); };
  EXPECT_EQ(end_of_status(502), AttemptEnd::absent);
  EXPECT_EQ(end_of_status(503), AttemptEnd::absent);
  EXPECT_EQ(end_of_status(504), AttemptEnd::server_error);
  settings.hold_on = {404};
  EXPECT_EQ(end_of_status(404), AttemptEnd::absent);
  EXPECT_EQ(end_of_status(503), AttemptEnd::server_error);
  EXPECT_EQ(end_of_status(429), AttemptEnd::too_many_requests);
  EXPECT_EQ(end_of_status(500), AttemptEnd::server_error);
  EXPECT_EQ(end_of_status(599), AttemptEnd::server_error);
  EXPECT_EQ(end_of_status(499), AttemptEnd::other_status);
  EXPECT_EQ(end_of_status(301), AttemptEnd::other_status);
}

}  // namespace
}  // namespace driveshaft::dispatch
