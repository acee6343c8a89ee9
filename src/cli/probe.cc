// SPDX-License-Identifier: MIT
#include "cli/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>

#include "base/exit_codes.h"
#include "cli/judge.h"
#include "config/keys.h"
#include "dispatch/job_request.h"
#include "http/endpoint.h"
#include "net/asio.h"
#include "net/resolver.h"
#include "text/counted.h"
#include "text/printable.h"

namespace driveshaft::cli {
namespace {

using namespace std::chrono_literals;
using Clock = base::Deadline::Clock;
using Grade = Remark::Grade;

constexpr std::size_t kMostStreamed = 64 * 1024 * 1024;
constexpr std::size_t kBigWorkload = 1024 * 1024;
constexpr auto kStale = 1h;  // how far a wrong timestamp is from the present
// If an answer comes faster than this, the times do not show whether two jobs ran at once.
constexpr auto kTellingTime = 50ms;

// A job that the probe sends, and what is wrong with its signature.
struct SampleJob {
  std::string_view name;
  std::string workload;
  enum class Signature {
    good,
    none,
    of_another_secret,
    of_another_body,
    late,
    early
  } signature = Signature::good;
};

// One request, and its outcome when it has ended.
class Call final : public http::Exchange, private base::Deadline {
 public:
  Call(http::Endpoint& endpoint, base::DeadlineWheel& deadlines, std::chrono::milliseconds timeout)
      : endpoint_(endpoint), deadlines_(deadlines), timeout_(timeout) {
    streams_ = true;
  }

  // The owner of the job's workload: the views of the request point into this string.
  std::string& workload() { return workload_; }
  dispatch::JobRequest& bytes() { return bytes_; }
  void post(const Request& request) {
    request_ = request;
    started_ = Clock::now();
    deadlines_.set(*this, timeout_);
    endpoint_.post(*this);
  }
  const std::optional<Outcome>& outcome() const { return outcome_; }

 private:
  void finished(base::Result<http::Response, http::Failure> result) override {
    if (!result && result.error().kind == http::Failure::Kind::stale_connection && !closed_before_) {
      closed_before_ = true;
      return endpoint_.send_again(*this);
    }
    clear();
    if (!result) return done({result.error()});
    done({Outcome::Response{result->status, result->streamed ? streamed_ : std::string(result->body),
                            result->keep_alive, !result->retry_after.empty(), result->streamed}});
  }
  base::Result<bool, http::Failure> on_chunk(std::string_view bytes) override {
    streamed_ += bytes;
    if (streamed_.size() <= kMostStreamed) return true;
    return http::Failure{
        http::Failure::Kind::too_large,
        fmt::format("it streams more than the {} bytes that are read of it here", kMostStreamed)};
  }
  void on_stderr(std::string_view lines) override { stderr_lines_ += lines; }
  void on_deadline() override {
    endpoint_.cancel(*this);
    done({http::Failure{http::Failure::Kind::connection_lost, ""}, true});
  }
  void done(Outcome outcome) {
    outcome.took = Clock::now() - started_;
    outcome.stderr_lines = std::move(stderr_lines_);
    outcome.has_begun = phases_.first_byte.has_value();
    outcome.closed_before = closed_before_;
    outcome_ = std::move(outcome);
  }

  http::Endpoint& endpoint_;
  base::DeadlineWheel& deadlines_;
  const std::chrono::milliseconds timeout_;
  std::string workload_;
  dispatch::JobRequest bytes_;
  Clock::time_point started_;
  std::string streamed_;
  std::string stderr_lines_;
  bool closed_before_ = false;
  std::optional<Outcome> outcome_;
};

std::string random_key() {
  std::random_device random;
  std::string key;
  for (int i = 0; i < 32; ++i) key += static_cast<char>(random());
  return key;
}

std::string all_bytes() {
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes += static_cast<char>(value);
  return bytes;
}

class Probe {
 public:
  explicit Probe(const ProbeOptions& options)
      : options_(options),
        endpoint_(
            resolver_, deadlines_,
            {options.uri, std::min(config::PoolSettings{}.endpoint_connect_timeout, options.timeout),
             config::PoolSettings{}.max_response_size,
             options.uri.scheme == net::Uri::Scheme::https ? std::make_shared<net::TlsClient>(options.tls)
                                                           : nullptr,
             options.document_root}),
        function_lines_(dispatch::function_lines("probe", options.function)) {
    endpoint_.set_header_lines(dispatch::header_lines(options.headers));
    if (!options.keys.empty()) signer_.emplace(options.keys);
  }

  int run() {
    fmt::print("probing {} as {}, with jobs of {}\n", options_.uri.display, config::name_of(options_.format),
               text::printable(options_.function, 128));
    const bool reached = plain();
    if (reached) {
      contents();
      two_at_once();
      connections();
      if (signer_) refusals();
    }
    if (findings_ == 0) {
      fmt::print("it conforms\n");
      return base::kExitOk;
    }
    fmt::print("{}{}\n", text::counted(static_cast<std::uint64_t>(findings_), "finding"),
               reached ? "" : "; the other samples were not sent");
    return base::kExitFindings;
  }

 private:
  using Calls = std::vector<std::unique_ptr<Call>>;

  // Sends the plain job. False: the endpoint cannot be reached, so no other sample is sent.
  bool plain() {
    const auto outcome = call({"plain job", options_.workload});
    const auto remark = judge(outcome);
    succeeded_ = remark.grade == Grade::good;
    report("plain job", remark);
    return !outcome.timed_out &&
           (outcome.response || outcome.response.error().kind != http::Failure::Kind::unreachable);
  }

  void contents() {
    const SampleJob samples[] = {
        {"empty workload", ""},
        {"workload in UTF-8", "Größe \"€\" \\ 😀\r\n\t&=+%"},
        {"workload of all bytes", all_bytes()},
        {"workload of 1 MiB", std::string(kBigWorkload, 'x')},
    };
    for (const SampleJob& sample : samples) report(sample.name, judge_beside_plain(call(sample)));
  }

  // A function need not accept every workload. If it accepted the plain one but not this one, a note is
  // printed.
  Remark judge_beside_plain(const Outcome& outcome) {
    Remark remark = judge(outcome);
    if (remark.grade != Grade::note) return remark;
    if (!succeeded_) return {Grade::good, remark.what, ""};
    remark.remedy =
        options_.format == config::RequestFormat::json
            ? "the plain job succeeded: if this is not the function's own verdict on the workload, see "
              "that \"workload_encoding\": \"base64\" is obeyed and that no byte is lost"
            : "the plain job succeeded: if this is not the function's own verdict on the workload, see "
              "that no byte of it is lost";
    return remark;
  }

  void two_at_once() {
    const auto alone = call({"", options_.workload});
    const auto both = call_all({{"", options_.workload}, {"", options_.workload}});
    for (const auto& outcome : both) {
      if (const auto remark = judge(outcome); remark.grade == Grade::finding) {
        return report("two at once", remark);
      }
    }
    const auto slower = std::max(both[0].took, both[1].took);
    const auto faster = std::min(both[0].took, both[1].took);
    if (alone.took > kTellingTime && slower > faster + alone.took / 2) {
      return report("two at once",
                    {Grade::note, "the second waits for the first",
                     "give the endpoint as many processes or threads as its pool has worker_count"});
    }
    report("two at once", {Grade::good, "both are answered", ""});
  }

  // Says whether the endpoint keeps connections open. Only answers with status 2xx count: after an error an
  // endpoint may close the connection. In FastCGI each request has a connection of its own.
  void connections() {
    if (!answered_ || options_.uri.is_fastcgi()) return;
    if (!closes_) return report("keep-alive", {Grade::good, "connections stay open", ""});
    report("keep-alive",
           {Grade::note, "it closes the connection after an answer, or does not say how long the answer is",
            "every job pays for a new connection: answer in HTTP/1.1 with Content-Length or chunked, without "
            "Connection: close"});
  }

  void refusals() {
    using Signature = SampleJob::Signature;
    const SampleJob samples[] = {
        {"without a signature", options_.workload, Signature::none},
        {"signed with another secret", options_.workload, Signature::of_another_secret},
        {"altered after it was signed", options_.workload, Signature::of_another_body},
        {"signed an hour ago", options_.workload, Signature::late},
        {"signed in an hour", options_.workload, Signature::early},
    };
    for (const SampleJob& sample : samples) report(sample.name, judge_refusal(call(sample)));
  }

  Outcome call(const SampleJob& sample) { return call_all({sample}).front(); }

  std::vector<Outcome> call_all(const std::vector<SampleJob>& samples) {
    Calls calls;
    for (const SampleJob& sample : samples) {
      calls.push_back(std::make_unique<Call>(endpoint_, deadlines_, options_.timeout));
      start(*calls.back(), sample);
    }
    const auto done = [](const auto& one) { return one->outcome().has_value(); };
    loop_.restart();
    while (!std::all_of(calls.begin(), calls.end(), done)) loop_.run_one();
    std::vector<Outcome> outcomes;
    for (const auto& one : calls) {
      outcomes.push_back(*one->outcome());
      const auto& response = outcomes.back().response;
      if (!response || response->status / 100 != 2) continue;
      answered_ = true;
      if (!response->keep_alive) closes_ = true;
    }
    return outcomes;
  }

  void start(Call& one, const SampleJob& sample) {
    ++number_;
    one.workload() = sample.workload;
    const std::string handle = fmt::format("H:probe:{}", number_);
    const std::string unique = fmt::format("probe-{:016x}", dispatch::new_span());
    const dispatch::JobFields job{options_.function, handle, unique, one.workload()};
    one.bytes().encode(options_.format, job);

    const auto now = std::chrono::system_clock::now();
    const auto trace = dispatch::new_trace(0);
    const dispatch::AttemptFacts facts{
        handle, unique, 1, now + options_.timeout, trace, dispatch::new_span()};
    dispatch::Signer stranger({text::Secret(random_key())});
    const auto signature = signature_of(sample.signature, now, stranger);
    one.post(
        one.bytes().build(endpoint_, function_lines_, job, facts, signature ? &*signature : nullptr).value());
  }

  // `stranger` signs with a secret that the endpoint does not know.
  std::optional<dispatch::JobRequest::Signature> signature_of(SampleJob::Signature how,
                                                              std::chrono::system_clock::time_point now,
                                                              dispatch::Signer& stranger) {
    using Signature = dispatch::JobRequest::Signature;
    if (!signer_) return std::nullopt;
    switch (how) {
      case SampleJob::Signature::none:
        return std::nullopt;
      case SampleJob::Signature::of_another_secret:
        return Signature{stranger, "probe", now};
      case SampleJob::Signature::of_another_body:
        return Signature{*signer_, "probe", now, " "};
      case SampleJob::Signature::late:
        return Signature{*signer_, "probe", now - kStale};
      case SampleJob::Signature::early:
        return Signature{*signer_, "probe", now + kStale};
      case SampleJob::Signature::good:
        return Signature{*signer_, "probe", now};
    }
    return std::nullopt;
  }

  Remark judge(const Outcome& outcome) {
    return cli::judge(
        outcome, decoder_,
        {options_.timeout, signer_.has_value(), options_.format == config::RequestFormat::multipart,
         options_.uri.is_fastcgi(), options_.uri.is_http_over_unix(), options_.uri.may_be_fastcgi()});
  }

  void report(std::string_view sample, const Remark& remark) {
    const char* grade = remark.grade == Grade::good ? "ok" : remark.grade == Grade::note ? "note" : "WRONG";
    const bool again = remark.grade == Grade::finding && remark.what == last_finding_;
    fmt::print("{:<6}{}: {}\n", grade, sample, again ? "the same" : remark.what);
    if (!remark.remedy.empty() && !again) fmt::print("      -> {}\n", remark.remedy);
    std::fflush(stdout);
    if (remark.grade != Grade::finding) return;
    ++findings_;
    last_finding_ = remark.what;
  }

  const ProbeOptions& options_;
  asio::io_context loop_{1};
  base::DeadlineWheel deadlines_{loop_};
  net::Resolver resolver_{loop_};
  http::Endpoint endpoint_;
  const std::string function_lines_;
  std::optional<dispatch::Signer> signer_;
  dispatch::AnswerDecoder decoder_;
  int number_ = 0;          // number of the last job
  bool succeeded_ = false;  // the plain job has succeeded
  bool answered_ = false;   // a job was answered with a status 2xx
  bool closes_ = false;     // the endpoint closed a connection after such an answer
  int findings_ = 0;
  std::string last_finding_;
};

}  // namespace

int probe(const ProbeOptions& options) {
  if (!options.help) return Probe(options).run();
  fmt::print("{}", probe_help_text());
  return base::kExitOk;
}

}  // namespace driveshaft::cli
