// SPDX-License-Identifier: MIT
#include "config/setting_keys.h"

#include "config/header_keys.h"
#include "config/key_table.h"
#include "config/unknown_keys.h"

namespace driveshaft::config {
namespace {

constexpr Choice<RequestFormat> kFormats[] = {
    {"json", RequestFormat::json},
    {"multipart", RequestFormat::multipart},
    {"urlencoded", RequestFormat::urlencoded},
};
constexpr Choice<FailureText> kFailureTexts[] = {
    {"exception", FailureText::exception},
    {"warning", FailureText::warning},
    {"drop", FailureText::drop},
};

constexpr Choice<EndpointDown> kEndpointDowns[] = {
    {"hold", EndpointDown::hold},
    {"fail", EndpointDown::fail},
};
constexpr Choice<OnShutdown> kOnShutdowns[] = {
    {"fail", OnShutdown::fail},
    {"requeue", OnShutdown::requeue},
};
constexpr Choice<Fairness> kFairnesses[] = {
    {"none", Fairness::none},
    {"function", Fairness::function},
};
constexpr Choice<AttemptFailure> kAttemptFailures[] = {
    {"timeout", AttemptFailure::timeout},
    {"5xx", AttemptFailure::server_error},
    {"429", AttemptFailure::too_many_requests},
    {"connection_lost", AttemptFailure::connection_lost},
    {"invalid_response", AttemptFailure::invalid_response},
    {"failure", AttemptFailure::failure},
    {"unreachable", AttemptFailure::unreachable},
};

bool read_attempt_failures(const Value& value, Retry& retry) {
  if (!value.is(Node::Kind::array)) return false;
  retry.on.clear();
  for (std::size_t i = 0; i < value.node().children.size(); ++i) {
    const Value element = value.element(i);
    AttemptFailure failure{};
    if (!read_choice(element, kAttemptFailures, failure)) {
      element.error(fmt::format("expected one of {}, got {}", names_of(kAttemptFailures), element.shown()));
    } else if (std::find(retry.on.begin(), retry.on.end(), failure) == retry.on.end()) {
      retry.on.push_back(failure);
    }
  }
  return true;
}

std::string attempt_failures_text(const Retry& retry) {
  std::vector<std::string> names;
  for (const auto failure : retry.on) names.push_back(in_quotes(name_of(kAttemptFailures, failure)));
  return fmt::format("[{}]", fmt::join(names, ", "));
}

constexpr Key<Retry> kRetryKeys[] = {
    {"attempts", "a whole number from 1 to 100", "",
     [](const Value& v, Retry& r) { return read_whole(v, 1, 100, r.attempts); },
     [](const Retry& r) { return std::to_string(r.attempts); }},
    {"initial_delay", "a number of seconds from 0 to 86400", "",
     [](const Value& v, Retry& r) { return read_seconds(v, 0, 86400, r.initial_delay); },
     [](const Retry& r) { return seconds_text(r.initial_delay); }},
    {"max_delay", "a number of seconds from 0 to 86400", "",
     [](const Value& v, Retry& r) { return read_seconds(v, 0, 86400, r.max_delay); },
     [](const Retry& r) { return seconds_text(r.max_delay); }},
    {"attempt_timeout", "a number of seconds from 0 to 86400", "",
     [](const Value& v, Retry& r) { return read_seconds(v, 0, 86400, r.attempt_timeout); },
     [](const Retry& r) { return seconds_text(r.attempt_timeout); }},
    {"on", "an array of reasons", "", read_attempt_failures, attempt_failures_text},
};

bool read_retry(const Value& value, PoolSettings& settings) {
  if (!value.is(Node::Kind::object)) return false;
  settings.retry = {};
  read_keys(value, kRetryKeys, settings.retry);
  std::vector<std::string_view> names;
  append_names(names, kRetryKeys);
  warn_of_unknown_keys(value, names, {}, "");
  return true;
}

std::string retry_text(const PoolSettings& settings) {
  std::vector<std::string> members;
  for (const auto& key : kRetryKeys) {
    members.push_back(fmt::format("{}: {}", in_quotes(key.name), key.show(settings.retry)));
  }
  return fmt::format("{{{}}}", fmt::join(members, ", "));
}

bool read_statuses(const Value& value, PoolSettings& settings) {
  if (!value.is(Node::Kind::array)) return false;
  settings.hold_on.clear();
  for (std::size_t i = 0; i < value.node().children.size(); ++i) {
    const Value element = value.element(i);
    unsigned status = 0;
    if (!read_whole(element, 400, 599, status)) {
      element.error(fmt::format("expected a whole number from 400 to 599, got {}", element.shown()));
    } else if (std::find(settings.hold_on.begin(), settings.hold_on.end(), status) ==
               settings.hold_on.end()) {
      settings.hold_on.push_back(status);
    }
  }
  return true;
}

constexpr Key<Breaker> kBreakerKeys[] = {
    {"failure_ratio", "a number > 0 and ≤ 1", "",
     [](const Value& v, Breaker& b) { return read_number(v, 1e-9, 1, b.failure_ratio); },
     [](const Breaker& b) { return fmt::format("{}", b.failure_ratio); }},
    {"min_jobs", "a whole number from 1 to 10000", "",
     [](const Value& v, Breaker& b) { return read_whole(v, 1, 10'000, b.min_jobs); },
     [](const Breaker& b) { return std::to_string(b.min_jobs); }},
    {"window", "a number of seconds from 1 to 3600", "",
     [](const Value& v, Breaker& b) { return read_seconds(v, 1, 3600, b.window); },
     [](const Breaker& b) { return seconds_text(b.window); }},
};

// true, false, or an object that gives more than its being on.
bool read_breaker(const Value& value, PoolSettings& settings) {
  Breaker breaker;
  if (!read_bool(value, breaker.on)) {
    if (!value.is(Node::Kind::object)) return false;
    breaker.on = true;
    read_keys(value, kBreakerKeys, breaker);
    std::vector<std::string_view> names;
    append_names(names, kBreakerKeys);
    warn_of_unknown_keys(value, names, {}, "");
  }
  settings.breaker = breaker;
  return true;
}

std::string breaker_text(const PoolSettings& settings) {
  if (!settings.breaker.on) return "false";
  std::vector<std::string> members;
  for (const auto& key : kBreakerKeys) {
    members.push_back(fmt::format("{}: {}", in_quotes(key.name), key.show(settings.breaker)));
  }
  return fmt::format("{{{}}}", fmt::join(members, ", "));
}

bool read_function_name(const Value& value, std::string& name) {
  if (!value.is(Node::Kind::string)) return false;
  name = value.node().text;
  if (has_control(name) || name.size() > kMaxFunctionSize) return false;
  return true;
}

constexpr Key<PoolSettings> kSettingKeys[] = {
    {"request_format", R"("json", "multipart" or "urlencoded")", "holds from the next job on",
     [](const Value& v, PoolSettings& s) { return read_choice(v, kFormats, s.request_format); },
     [](const PoolSettings& s) { return in_quotes(name_of(kFormats, s.request_format)); }},
    {"failure_text", R"("exception", "warning" or "drop")", "holds from the next job on",
     [](const Value& v, PoolSettings& s) { return read_choice(v, kFailureTexts, s.failure_text); },
     [](const PoolSettings& s) { return in_quotes(name_of(kFailureTexts, s.failure_text)); }},
    {"explain_failures", "true or false", "holds from the next job on",
     [](const Value& v, PoolSettings& s) { return read_bool(v, s.explain_failures); },
     [](const PoolSettings& s) { return std::string(s.explain_failures ? "true" : "false"); }},
    {"connections", "a whole number from 1 to 64",
     "more are opened; fewer: the ones left over finish their jobs and close",
     [](const Value& v, PoolSettings& s) { return read_whole(v, 1, 64, s.connections); },
     [](const PoolSettings& s) { return std::to_string(s.connections); }},
    {"connect_timeout", "a number of seconds > 0 and ≤ 3600", "holds from the next connection on",
     [](const Value& v, PoolSettings& s) { return read_seconds(v, 1e-9, 3600, s.connect_timeout); },
     [](const PoolSettings& s) { return seconds_text(s.connect_timeout); }},
    {"max_response_size", "a whole number of bytes from 1 to 2147483647", "holds from the next job on",
     [](const Value& v, PoolSettings& s) { return read_whole(v, 1, kMaxInt, s.max_response_size); },
     [](const PoolSettings& s) { return std::to_string(s.max_response_size); }},
    {"endpoint_down", R"("hold" or "fail")", "holds from the next failure to reach the endpoint on",
     [](const Value& v, PoolSettings& s) { return read_choice(v, kEndpointDowns, s.endpoint_down); },
     [](const PoolSettings& s) { return in_quotes(name_of(kEndpointDowns, s.endpoint_down)); }},
    {"hold_on", "an array of HTTP statuses from 400 to 599", "holds from the next answer on", read_statuses,
     [](const PoolSettings& s) { return fmt::format("[{}]", fmt::join(s.hold_on, ", ")); }},
    {"breaker", "true, false, or an object of failure_ratio, min_jobs and window",
     "holds at once; other values close the breaker", read_breaker, breaker_text},
    {"retry", "an object of attempts, initial_delay, max_delay, attempt_timeout and on",
     "holds from the next attempt on", read_retry, retry_text},
    {"dead_letter_function", "the name of a function, or \"\" for none", "holds from the next failed job on",
     [](const Value& v, PoolSettings& s) { return read_function_name(v, s.dead_letter_function); },
     [](const PoolSettings& s) { return quoted_json(s.dead_letter_function); }},
    {"on_shutdown", R"("fail" or "requeue")", "holds for the next shutdown",
     [](const Value& v, PoolSettings& s) { return read_choice(v, kOnShutdowns, s.on_shutdown); },
     [](const PoolSettings& s) { return in_quotes(name_of(kOnShutdowns, s.on_shutdown)); }},
    {"max_rate", "a number of jobs a second from 0 (no limit) to 1000000", "holds at once",
     [](const Value& v, PoolSettings& s) { return read_number(v, 0, 1'000'000, s.max_rate); },
     [](const PoolSettings& s) { return fmt::format("{}", s.max_rate); }},
    {"adaptive", "true or false", "holds at once; the limit starts anew",
     [](const Value& v, PoolSettings& s) { return read_bool(v, s.adaptive); },
     [](const PoolSettings& s) { return std::string(s.adaptive ? "true" : "false"); }},
    {"headers", "an object of names and values", "holds from the next attempt on", read_headers,
     headers_text},
    {"signing_secret_file", "an absolute path, or \"\" for none", "holds from the next attempt on",
     read_signing_file, [](const PoolSettings& s) { return quoted_json(s.signing.file); }},
    {"trace_sampling", "a number from 0 to 1", "holds from the next job on",
     [](const Value& v, PoolSettings& s) { return read_number(v, 0, 1, s.trace_sampling); },
     [](const PoolSettings& s) { return fmt::format("{}", s.trace_sampling); }},
    {"fairness", R"("none" or "function")",
     "functions move to connections of their own, or back; the old connections finish their jobs",
     [](const Value& v, PoolSettings& s) { return read_choice(v, kFairnesses, s.fairness); },
     [](const PoolSettings& s) { return in_quotes(name_of(kFairnesses, s.fairness)); }},
};

}  // namespace

void read_settings(const Value& object, PoolSettings& settings) { read_keys(object, kSettingKeys, settings); }

void append_setting_names(std::vector<std::string_view>& names) { append_names(names, kSettingKeys); }

std::vector<SettingInfo> setting_infos(const PoolSettings& settings) {
  std::vector<SettingInfo> infos;
  for (const auto& key : kSettingKeys) infos.push_back({key.name, key.type, key.show(settings), key.reload});
  return infos;
}

std::string_view name_of(RequestFormat format) { return name_of(kFormats, format); }

std::string_view name_of(AttemptFailure failure) {
  return failure == AttemptFailure::other_status ? "other_status" : name_of(kAttemptFailures, failure);
}

}  // namespace driveshaft::config
