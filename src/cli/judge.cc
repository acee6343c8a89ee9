// SPDX-License-Identifier: MIT
#include "cli/judge.h"

#include <fmt/format.h>

#include "dispatch/failure_hint.h"
#include "dispatch/stream_decoder.h"
#include "text/counted.h"
#include "text/printable.h"
#include "text/utf8.h"

namespace driveshaft::cli {
namespace {

using Grade = Remark::Grade;

constexpr std::size_t kShown = 60;         // bytes of an answer's text
constexpr std::size_t kShownStderr = 200;  // bytes of stderr's first line

Remark finding(std::string what, std::string remedy) {
  return {Grade::finding, std::move(what), std::move(remedy)};
}

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

constexpr const char* kSeeWhyItEnded =
    "see php-fpm's log: the process crashed, was stopped, or php-fpm was reloaded "
    "(process_control_timeout of php-fpm lets scripts finish)";

Remark too_late(const Outcome& outcome, const Circumstances& circumstances) {
  const double seconds = static_cast<double>(circumstances.timeout.count()) / 1000;
  // In HTTP an endpoint may close an idle connection, so that is no finding.
  if (outcome.closed_before && circumstances.is_fastcgi) {
    return finding(fmt::format("the connection was closed before an answer; sent once more, no whole answer "
                               "within {} s",
                               seconds),
                   kSeeWhyItEnded);
  }
  return finding(fmt::format("no whole answer within {} s", seconds),
                 fmt::format("see what the endpoint waits for, or give it longer with --timeout; its daemon "
                             "waits for --max_running_time{}",
                             circumstances.is_fastcgi ? ". If php-fpm's log says that the process ended, a "
                                                        "program that it started holds the connection"
                                                      : ""));
}

Remark not_reached(const http::Failure& failure) {
  return finding(
      "it cannot be reached: " + failure.message,
      failure.denied
          ? "probe it as the daemon's user, such as with sudo -u driveshaft; the daemon holds jobs "
            "until it may open the socket"
          : "start it, or correct the URI; the daemon would hold its jobs until it can be reached");
}

Remark no_response(const Outcome& outcome, const Circumstances& circumstances) {
  if (outcome.timed_out) return too_late(outcome, circumstances);
  const http::Failure& failure = outcome.response.error();
  switch (failure.kind) {
    case http::Failure::Kind::unreachable:
    case http::Failure::Kind::full:
      return not_reached(failure);
    case http::Failure::Kind::connection_lost:
    case http::Failure::Kind::stale_connection:
      if (circumstances.is_http_over_unix) {
        return finding(failure.message,
                       "if php-fpm listens on this socket, write fcgi+unix:// in the URI; else send the "
                       "whole answer, and "
                       "see the error log of the process that listens");
      }
      if (circumstances.is_fastcgi) return finding(failure.message, kSeeWhyItEnded);
      if (circumstances.may_be_fastcgi && !outcome.has_begun) {
        return finding(failure.message,
                       "if php-fpm itself listens there, write fcgi:// in the URI, and the path of the "
                       "script's file; else see the error log of the process that listens");
      }
      return finding(
          failure.message,
          "send the whole answer, with a Content-Length that is its length; if the process died, its error "
          "log knows why");
    case http::Failure::Kind::malformed:
      if (circumstances.is_fastcgi) {
        return finding(failure.message,
                       "see that php-fpm listens there; a web server wants http:// or https:// in the URI");
      }
      return finding(failure.message, "answer in HTTP/1.1; a port that speaks TLS wants https:// in the URI");
    case http::Failure::Kind::overloaded:
      return finding(failure.message, "give it more processes, or probe it again when it has less to do");
    case http::Failure::Kind::too_large:
      return finding(failure.message, "answer with less, or raise max_response_size");
  }
  return finding(failure.message, "");
}

std::string remedy_for_status(unsigned status, bool retry_after, const Circumstances& circumstances) {
  if ((status == 429 || status == 503) && retry_after) {
    return "it asks to wait, and the daemon would: probe it again when it takes jobs";
  }
  switch (status) {
    case 401:
    case 403:
      if (!circumstances.is_signed) {
        return "if it wants a signature, name the secret with --secret-file; a user and password stand in "
               "the URI, a "
               "token in --header";
      }
      return circumstances.is_multipart ? "compare the secrets and the clocks; PHP has no raw body of a "
                                          "multipart request: sign json or "
                                          "urlencoded ones"
                                        : "compare the secrets and the clocks, and sign the body as it was "
                                          "received, before it is decoded";
    case 404:
      return "correct the path of the URI, or the endpoint's routes";
    case 405:
      return "let the endpoint take POST requests at this path";
    case 413:
      return "raise the size that a request may have: client_max_body_size of nginx, post_max_size of PHP, "
             "LimitRequestBody of Apache";
    case 414:
    case 431:
      return "raise the size that headers may have: large_client_header_buffers of nginx";
    case 415:
      return "let the endpoint take this format, or choose another one with --format and request_format";
    case 502:
      return fmt::format("{}; the daemon holds such jobs until the endpoint works again (hold_on)",
                         dispatch::kBadGateway);
    case 503:
      return "its error log says why; the daemon holds such jobs until the endpoint works again (hold_on)";
    default:
      break;
  }
  if (status / 100 == 3)
    return "redirects are not followed: if it leads to a login page, exempt this path from the login; "
           "otherwise probe, and configure, the URI that it redirects to";
  if (status / 100 == 5) {
    return "its error log knows why; a job that fails is answered with status 200 and a gearman_ret other "
           "than 0";
  }
  return "answer with status 200; a job that fails has a gearman_ret other than 0";
}

std::string remedy_for_body(std::string_view body, const std::string& message) {
  const auto says = [&](std::string_view text) { return message.starts_with(text); };
  if (body.empty()) return "the body is empty: write the object, also where a job has no result";
  if (says("compressed with gzip")) return "send no Content-Encoding: no request asks for one";
  if (body.starts_with(text::kByteOrderMark)) {
    return "save the endpoint's files without a byte order mark: it stands before the object";
  }
  if (says("gearman_ret is not")) return "write gearman_ret as a number without quotes, 0 for success";
  if (says("gearman_ret is missing")) return "write gearman_ret, 0 for success";
  if (says("response_string is not"))
    return "make response_string text: what has a structure is encoded into it";
  if (says("response_string is missing")) return "write response_string, \"\" where a job has no result";
  if (says("JSON, but")) return "write an object around it";
  if (body.find("gearman_ret") != body.npos) {
    return "write nothing but the object: no warnings (display_errors=0 for PHP), no debugging output, no "
           "second "
           "object, and its text encoded by a JSON library";
  }
  if (body.front() == '<')
    return "this is a page, not an answer: correct the URI, or see the endpoint's error log";
  return "write the object, and nothing else";
}

// Counts what a streamed answer sends before the answer itself.
struct Progress final : dispatch::StreamDecoder::Sink {
  void status(std::uint32_t, std::uint32_t) override { ++updates; }
  void data(std::string_view) override { ++updates; }
  void warning(std::string_view) override { ++updates; }
  std::uint64_t updates = 0;
};

base::Result<dispatch::Answer, dispatch::NotAnAnswer> decode(const Outcome::Response& response,
                                                             dispatch::AnswerDecoder& decoder,
                                                             Progress& progress) {
  if (!response.streamed) return decoder.decode(response.status, response.body);
  dispatch::StreamDecoder stream(response.body.size());
  if (auto fed = stream.feed(response.body, progress); !fed) return fed.error();
  return stream.finish(decoder, progress);
}

std::string shown_answer(const dispatch::Answer& answer, const Outcome& outcome, const Progress& progress) {
  return fmt::format(
      "{}, {}gearman_ret {}, \"{}\", {:.1f} ms", outcome.response->status,
      outcome.response->streamed ? text::counted(progress.updates, "update") + " of progress, " : "",
      answer.gearman_ret, text::printable(answer.response_string, kShown), milliseconds(outcome.took));
}

Remark judge_answer(const Outcome& outcome, dispatch::AnswerDecoder& decoder,
                    const Circumstances& circumstances) {
  if (outcome.timed_out || !outcome.response) return no_response(outcome, circumstances);
  const auto& response = *outcome.response;
  Progress progress;
  const auto answer = decode(response, decoder, progress);
  if (answer) {
    const bool succeeded = answer->gearman_ret == 0;
    return {
        succeeded ? Grade::good : Grade::note, shown_answer(*answer, outcome, progress),
        succeeded
            ? ""
            : "it says that the job failed: that conforms; a function that it has is named with --function"};
  }
  const auto& wrong = answer.error();
  const std::string_view lines = outcome.stderr_lines;
  if (dispatch::is_no_script(response.status, lines.substr(0, lines.find('\n')))) {
    return finding(wrong.message, "php-fpm found no script: write the path as php-fpm sees it into the URI");
  }
  return finding(wrong.message, wrong.kind == dispatch::NotAnAnswer::Kind::http_status
                                    ? remedy_for_status(response.status, response.retry_after, circumstances)
                                : response.streamed
                                    ? "write a line of JSON for each thing to tell, and the object with "
                                      "gearman_ret as the last"
                                    : remedy_for_body(response.body, wrong.message));
}

}  // namespace

Remark judge(const Outcome& outcome, dispatch::AnswerDecoder& decoder, const Circumstances& circumstances) {
  Remark remark = judge_answer(outcome, decoder, circumstances);
  if (!outcome.stderr_lines.empty()) {
    const std::string_view stderr_lines = outcome.stderr_lines;
    remark.what +=
        fmt::format("; its stderr: \"{}\"",
                    text::printable(stderr_lines.substr(0, stderr_lines.find('\n')), kShownStderr));
  }
  return remark;
}

Remark judge_refusal(const Outcome& outcome) {
  if (outcome.timed_out || !outcome.response) {
    return finding(outcome.timed_out ? "neither taken nor refused in time" : outcome.response.error().message,
                   "answer it with status 401");
  }
  const unsigned status = outcome.response->status;
  if (status / 100 == 2) {
    return finding(
        fmt::format("it is not refused, but answered with status {}", status),
        "compare the signature before anything else, and answer 401 where it is wrong; examples/verify.* "
        "show how");
  }
  if (status / 100 != 4 || status == 429 || status == 408) {
    return finding(fmt::format("it is answered with status {}, as if the endpoint were in trouble", status),
                   "refuse it with status 401, which is not tried again");
  }
  return {Grade::good, fmt::format("refused with status {}", status), ""};
}

}  // namespace driveshaft::cli
