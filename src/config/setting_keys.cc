// SPDX-License-Identifier: MIT
#include "config/setting_keys.h"

#include "config/header_keys.h"
#include "config/keys.h"

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

struct Failures {
  static bool read(const Value& value, std::vector<AttemptFailure>& failures) {
    if (!value.is(Node::Kind::array)) return false;
    failures.clear();
    for (std::size_t i = 0; i < value.node().children.size(); ++i) {
      const Value element = value.element(i);
      AttemptFailure failure{};
      if (!read_choice(element, kAttemptFailures, failure)) {
        element.error(fmt::format("expected one of {}, got {}", names_of(kAttemptFailures), element.shown()));
      } else if (std::find(failures.begin(), failures.end(), failure) == failures.end()) {
        failures.push_back(failure);
      }
    }
    return true;
  }

  static std::string show(const std::vector<AttemptFailure>& failures) {
    std::vector<std::string> names;
    names.reserve(failures.size());
    for (const auto failure : failures) names.push_back(in_quotes(name_of(kAttemptFailures, failure)));
    return fmt::format("[{}]", fmt::join(names, ", "));
  }
};

constexpr Key<Retry> kRetryKeys[] = {
    key<&Retry::attempts, Whole<1, 100>>("attempts", "a whole number from 1 to 100"),
    key<&Retry::initial_delay, Seconds<86400>>("initial_delay", "a time from 0 to 86400 s"),
    key<&Retry::max_delay, Seconds<86400>>("max_delay", "a time from 0 to 86400 s"),
    key<&Retry::attempt_timeout, Seconds<86400>>("attempt_timeout", "a time from 0 to 86400 s"),
    key<&Retry::on, Failures>("on", "an array of reasons"),
};

struct RetryObject {
  // Keys that the object does not name keep their values: a pool's object changes the one of the top level.
  static bool read(const Value& value, Retry& retry) {
    if (bool on = true; read_bool(value, on) && !on) {
      retry.attempts = 1;
      return true;
    }
    if (!value.is(Node::Kind::object)) return false;
    read_object(value, retry_keys(), retry);
    return true;
  }
  static std::string show(const Retry& retry) { return object_text(retry_keys(), retry); }
};

struct Statuses {
  static bool read(const Value& value, std::vector<unsigned>& statuses) {
    if (!value.is(Node::Kind::array)) return false;
    statuses.clear();
    for (std::size_t i = 0; i < value.node().children.size(); ++i) {
      const Value element = value.element(i);
      unsigned status = 0;
      if (!read_whole(element, 400, 599, status)) {
        element.expected("a whole number from 400 to 599");
      } else if (std::find(statuses.begin(), statuses.end(), status) == statuses.end()) {
        statuses.push_back(status);
      }
    }
    return true;
  }
  static std::string show(const std::vector<unsigned>& statuses) {
    return fmt::format("[{}]", fmt::join(statuses, ", "));
  }
};

struct Ratio : Number<0, 1> {
  static bool read(const Value& value, double& ratio) { return read_number(value, 1e-9, 1, ratio); }
};

struct Window : Seconds<3600> {
  static bool read(const Value& value, std::chrono::milliseconds& window) {
    return read_seconds(value, 1, 3600, window);
  }
};

constexpr Key<BreakerSettings> kBreakerKeys[] = {
    key<&BreakerSettings::failure_ratio, Ratio>("failure_ratio", "a number > 0 and ≤ 1"),
    key<&BreakerSettings::min_jobs, Whole<1, 10'000>>("min_jobs", "a whole number from 1 to 10000"),
    key<&BreakerSettings::window, Window>("window", "a time from 1 to 3600 s"),
};

// true, false, or an object, which turns the breaker on. In a pool the values that are not named stay.
struct BreakerSwitch {
  static bool read(const Value& value, BreakerSettings& breaker) {
    if (read_bool(value, breaker.on)) return true;
    if (!value.is(Node::Kind::object)) return false;
    breaker.on = true;
    read_object(value, breaker_keys(), breaker);
    return true;
  }
  static std::string show(const BreakerSettings& breaker) {
    return breaker.on ? object_text(breaker_keys(), breaker) : "false";
  }
};

struct FunctionName {
  static bool read(const Value& value, std::string& name) {
    if (!value.is(Node::Kind::string)) return false;
    name = value.node().text;
    return !has_control(name) && name.size() <= kMaxFunctionSize;
  }
  static std::string show(const std::string& name) { return quoted_json(name); }
};

constexpr Key<PoolSettings> kSettingKeys[] = {
    key<&PoolSettings::request_format, OneOf<kFormats>>(
        "request_format", R"("json", "multipart" or "urlencoded")", "from the next job on"),
    key<&PoolSettings::failure_text, OneOf<kFailureTexts>>(
        "failure_text", R"("exception", "warning" or "drop")", "from the next job on"),
    key<&PoolSettings::explain_failures, YesOrNo>("explain_failures", "true or false",
                                                  "from the next job on"),
    key<&PoolSettings::gearmand_connections, Whole<1, 64>>("gearmand_connections",
                                                           "a whole number from 1 to 64", "at once")
        .formerly("connections"),
    key<&PoolSettings::endpoint_connect_timeout, SomeSeconds<3600>>(
        "endpoint_connect_timeout", "a time > 0 and ≤ 3600 s", "from the next connection on")
        .formerly("connect_timeout")
        .renews(Renewal::connections),
    key<&PoolSettings::max_response_size, Bytes<1, kMaxInt>>(
        "max_response_size", "a size from 1 to 2147483647 bytes", "from the next job on")
        .renews(Renewal::connections),
    key<&PoolSettings::max_connection_age, Seconds<86400>>("max_connection_age",
                                                           "a time from 0 (no limit) to 86400 s", "at once")
        .renews(Renewal::pace),
    key<&PoolSettings::dns_refresh, Seconds<86400>>(
        "dns_refresh", "a time from 0 (after failures only) to 86400 s", "at once")
        .renews(Renewal::pace),
    key<&PoolSettings::endpoint_down, OneOf<kEndpointDowns>>("endpoint_down", R"("hold" or "fail")",
                                                             "from the next failure on"),
    key<&PoolSettings::hold_on, Statuses>("hold_on", "an array of HTTP statuses from 400 to 599",
                                          "from the next failure on"),
    key<&PoolSettings::breaker, BreakerSwitch>(
        "breaker", "true, false, or an object of failure_ratio, min_jobs and window", "at once"),
    key<&PoolSettings::max_running_time, Seconds<kMaxRunningTime>>(
        "max_running_time", "a time from 0 (as --max_running_time says) to 1000000000 s",
        "from the next job on"),
    key<&PoolSettings::retry, RetryObject>(
        "retry", "false, or an object of attempts, initial_delay, max_delay, attempt_timeout and on",
        "from the next attempt on"),
    key<&PoolSettings::dead_letter_function, FunctionName>(
        "dead_letter_function", "the name of a function, or \"\" for none", "from the next failure on"),
    key<&PoolSettings::on_shutdown, OneOf<kOnShutdowns>>("on_shutdown", R"("fail" or "requeue")", "at once"),
    key<&PoolSettings::max_rate, Number<0, 1'000'000>>(
        "max_rate", "a number of jobs a second from 0 (no limit) to 1000000", "at once"),
    key<&PoolSettings::adaptive, YesOrNo>("adaptive", "true or false", "at once"),
    key<&PoolSettings::headers, Headers>("headers", "an object of names and values",
                                         "from the next attempt on")
        .renews(Renewal::header_lines)
        .described_by(describe_headers),
    key<&PoolSettings::signing, SigningFile>("signing_secret_file", "an absolute path, or \"\" for none",
                                             "from the next attempt on")
        .renews(Renewal::signer)
        .described_by(describe_signing),
    key<&PoolSettings::trace_sampling, Number<0, 1>>("trace_sampling", "a number from 0 to 1",
                                                     "from the next job on"),
    key<&PoolSettings::fairness, OneOf<kFairnesses>>("fairness", R"("none" or "function")", "at once"),
};

}  // namespace

Keys<PoolSettings> setting_keys() { return kSettingKeys; }

Keys<Retry> retry_keys() { return kRetryKeys; }

Keys<BreakerSettings> breaker_keys() { return kBreakerKeys; }

std::string_view name_of(RequestFormat format) { return name_of(kFormats, format); }

std::string_view name_of(AttemptFailure failure) {
  return failure == AttemptFailure::other_status ? "other_status" : name_of(kAttemptFailures, failure);
}

}  // namespace driveshaft::config
