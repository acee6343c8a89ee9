// SPDX-License-Identifier: MIT
#include "dispatch/failure_hint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/seconds.h"
#include "text/printable.h"

namespace driveshaft::dispatch {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kShownBytes = 80;
constexpr std::size_t kShownError = 240;      // of PHP's errors: they end with file and line
constexpr std::size_t kSearched = 16 * 1024;  // of an answer
// A 504 that comes sooner is no time-out's.
constexpr auto kLeastTimeout = 1s;

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// Where `what`, in lower case, begins in `text`, whatever the case there.
std::size_t find_word(std::string_view text, std::string_view what) {
  const auto found = std::search(text.begin(), text.end(), what.begin(), what.end(),
                                 [](char a, char b) { return lower(a) == b; });
  return found == text.end() ? text.npos : static_cast<std::size_t>(found - text.begin());
}

// Every run of white space as one space, none at the ends.
std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string without_tags(std::string_view html) {
  std::string text;
  while (!html.empty()) {
    const auto tag = html.find('<');
    text.append(html.substr(0, tag));
    if (tag == html.npos) break;
    const auto end = html.find('>', tag);
    if (end == html.npos) break;
    html.remove_prefix(end + 1);
  }
  return text;
}

// PHP writes "Fatal error: Uncaught …", with html_errors "<b>Fatal error</b>:  Uncaught …", each on a line of
// its own.
std::string php_error(std::string_view body) {
  for (const std::string_view kind : {"Fatal error", "Parse error"}) {
    const auto begin = body.find(kind);
    if (begin == body.npos) continue;
    const auto line = body.substr(begin, body.find('\n', begin) - begin);
    if (auto text = squeezed(without_tags(line)); text.starts_with(fmt::format("{}:", kind))) return text;
  }
  return {};
}

std::string page_title(std::string_view body) {
  const auto begin = find_word(body, "<title>");
  if (begin == body.npos) return {};
  const auto title = body.substr(begin + std::string_view("<title>").size());
  const auto end = find_word(title, "</title>");
  return end == title.npos ? std::string() : squeezed(without_tags(title.substr(0, end)));
}

std::string hint(const FailureFacts& facts) {
  if (facts.end == AttemptEnd::empty_answer) {
    return "; a script that prints nothing answers so, and nginx does when php-fpm kills a running script at "
           "a "
           "reload or restart (process_control_timeout of php-fpm lets it finish)";
  }
  if (facts.status == 413) {
    return "; nginx answers so to a body above its client_max_body_size, 1 MB unless set";
  }
  if (facts.status == 504 && facts.took >= kLeastTimeout) {
    return fmt::format(
        "; it came after {:.0f} s: nginx answers so when fastcgi_read_timeout or proxy_read_timeout is over, "
        "60 s "
        "unless set",
        base::seconds(facts.took));
  }
  return {};
}

}  // namespace

std::string explain_failure(std::string_view what, const FailureFacts& facts) {
  if (facts.end == AttemptEnd::refused) return std::string(what);
  return fmt::format("{}{}; the job {}", what, hint(facts),
                     facts.may_have_run ? "may have run" : "did not run");
}

std::string show_answer(std::string_view body) {
  const auto searched = body.substr(0, kSearched);
  if (const auto error = php_error(searched); !error.empty()) {
    return fmt::format("\"{}\"", text::printable(error, kShownError));
  }
  if (const auto title = page_title(searched); !title.empty()) {
    return fmt::format("an HTML page, \"{}\"", text::printable(title, kShownBytes));
  }
  return fmt::format("\"{}\"", text::printable(body, kShownBytes));
}

}  // namespace driveshaft::dispatch
